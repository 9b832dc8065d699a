/** How one reaches a server's files, as a link that clients understand. */
export function sftpAddress(host: string, access: { username: string; port?: number | null | undefined }): string {
  return `sftp://${encodeURIComponent(access.username)}@${host}:${access.port ?? 2022}`;
}
