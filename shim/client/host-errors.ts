import { constants } from 'node:os'
import { type ErrorKind, RuntimeError } from '#base/errors'
import { type Frame, fieldNumber, fieldText, frameTypes, tags } from './protocol.ts'

const kinds: Readonly<Record<string, ErrorKind>> = {
  ENOENT: 'not-found',
  EEXIST: 'already-exists',
  ENOSPC: 'resource-exhausted',
  EDQUOT: 'resource-exhausted',
  EFBIG: 'resource-exhausted',
  EPERM: 'permission-denied',
  EACCES: 'permission-denied',
  EBUSY: 'failed-precondition',
  EAGAIN: 'unavailable',
  ETIMEDOUT: 'deadline-exceeded',
  ECANCELED: 'cancelled',
}

const errnoNames = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]))

/** The error that the host answered: the kind by its errno (host.ts), which `special` may override. */
export function hostError(frame: Frame, special: Readonly<Record<string, ErrorKind>> = {}): RuntimeError {
  const errno = errnoName(frame)
  const kind = special[errno] ?? kinds[errno] ?? 'internal'
  return new RuntimeError(kind, fieldText(frame, tags.message))
}

/** Name of the errno in an error answer; "" if the frame is none, or no system call is to blame. */
export function errnoName(frame: Frame): string {
  if (frame.type !== frameTypes.error) return ''
  const number = fieldNumber(frame, tags.errno, 0)
  /* EAGAIN has a second name. */
  return number === constants.errno.EAGAIN ? 'EAGAIN' : (errnoNames.get(number) ?? '')
}
