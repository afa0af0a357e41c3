/** What `zstd` makes of the bytes. Node 20 has no zstd; errors: `not-found` without the program. */
export declare function compressZstd(bytes: Uint8Array): Promise<Buffer>
