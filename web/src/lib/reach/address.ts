/** An address as it is typed into a game. */
export const hostPort = (host: string, port: number): string => `${host.includes(':') ? `[${host.replace(/^\[|\]$/g, '')}]` : host}:${port}`;
