import { get } from './http.ts'

/** Values of a page in Prometheus' text format, by name and labels as they are written. */
export type Page = ReadonlyMap<string, number>

export function metricsUrl(port: number): string {
  return `http://127.0.0.1:${String(port)}/metrics`
}

export async function scrape(url: string): Promise<Page> {
  const samples = (await get(url)).split('\n').filter(line => line !== '' && !line.startsWith('#'))
  return new Map(
    samples.map(line => {
      const end = line.lastIndexOf(' ')
      return [line.slice(0, end), Number(line.slice(end + 1))]
    }),
  )
}
