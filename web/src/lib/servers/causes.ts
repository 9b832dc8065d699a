/** Why a game ended, as far as its last lines tell: the rules, the likeliest cause first. Pure. */

export type CauseKind = 'eula' | 'gslToken' | 'processes' | 'steamDisk' | 'memory' | 'java' | 'port' | 'architecture' | 'disk' | 'imageMissing' | 'imageDenied' | 'registryLimit' | 'registryAway' | 'file' | 'permission';

export interface Cause {
  kind: CauseKind;
  /** What of it, as the log names it: a file, a port, a version. */
  detail: string;
}

interface Rule {
  kind: CauseKind;
  pattern: RegExp;
  /** Makes the detail of the match; else its first group is it. */
  detail?: (match: RegExpExecArray) => string;
}

/** Class files count from 45 for Java 1.1. */
const javaOf = (classVersion: string): string => String(Math.floor(Number(classVersion)) - 44);

const RULES: Rule[] = [
  { kind: 'eula', pattern: /agree to the eula|eula\.txt for more info|accept the .{0,40}eula/i },
  { kind: 'gslToken', pattern: /gsl token expired|\(account not found\)|game server login token.{0,40}(?:invalid|expired|missing)/i },
  // Before memory: the JVM calls it an OutOfMemoryError, too.
  { kind: 'processes', pattern: /pthread_create failed|(?:unable to create|failed to create)(?: new)?(?: native)? thread|fork: (?:retry: )?Resource temporarily unavailable|newosproc/i },
  { kind: 'steamDisk', pattern: /steamcmd needs (\d+ ?[MG]B) of free disk space|state is 0x202 after update job/i },
  { kind: 'memory', pattern: /java\.lang\.OutOfMemoryError|Cannot allocate memory|could not reserve enough space|insufficient memory for the Java Runtime|std::bad_alloc|heap out of memory|out of memory/i },
  { kind: 'java', pattern: /class file version (\d+(?:\.\d+)?)/i, detail: (match) => javaOf(match[1] ?? '') },
  { kind: 'java', pattern: /(?:requires|needs|at least|only up to|upgrade to|running) Java (\d+)/i },
  { kind: 'java', pattern: /UnsupportedClassVersionError|Unsupported Java detected/i },
  { kind: 'port', pattern: /port (?:is already allocated|(\d+) is already in use)|Bind for [\d.:[\]]*?:(\d+) failed/i, detail: (match) => match[1] ?? match[2] ?? '' },
  { kind: 'port', pattern: /address already in use[^\d]*(\d{2,5})?|failed to bind to (?:port|.*?:(\d{2,5}))|EADDRINUSE[^\d]*(\d{2,5})?|couldn.t bind/i, detail: (match) => match[1] ?? match[2] ?? match[3] ?? '' },
  { kind: 'architecture', pattern: /exec format error|cannot execute binary file|no matching manifest for (\S+?)(?: in|,|$)|does not match the (?:specified|detected host) platform/i },
  { kind: 'disk', pattern: /no space left on device|ENOSPC|disk quota exceeded|not enough (?:disk|free) space/i },
  { kind: 'registryLimit', pattern: /toomanyrequests|pull rate limit/i },
  { kind: 'imageDenied', pattern: /pull access denied|unauthorized: |denied: requested access|authentication required/i },
  { kind: 'imageMissing', pattern: /manifest (?:for \S+ )?(?:unknown|not found)|manifest unknown|no such image|repository does not exist|name unknown/i },
  { kind: 'registryAway', pattern: /no such host|TLS handshake timeout|i\/o timeout|connection refused.*registry|temporary failure in name resolution|network is unreachable/i },
  { kind: 'permission', pattern: /(\/\S+?|\.\/\S+?): Permission denied|EACCES[^'"]*['"]([^'"]+)|AccessDeniedException: (\S+)/i, detail: (match) => match[1] ?? match[2] ?? match[3] ?? '' },
  { kind: 'file', pattern: /Unable to access jarfile (\S+)|error while loading shared libraries: (\S+?):|(\S+): (?:No such file or directory|not found)$|ENOENT[^'"]*['"]([^'"]+)|FileNotFoundException: (\S+)|Cannot find module '([^']+)'/i, detail: (match) => match.slice(1).find((part) => part !== undefined) ?? '' }
];

/** The line with which a run begins, in the console's own words. */
const BEGINS = /^Starting the server\.$/;
// eslint-disable-next-line no-control-regex
const ESCAPES = /\x1b\[[0-9;]*[A-Za-z]/g;

export interface LogLine {
  stream: string;
  text: string;
}

/** Lines of the last run alone. */
export function lastRun(lines: LogLine[]): LogLine[] {
  const begin = lines.findLastIndex((line) => line.stream === 'system' && BEGINS.test(line.text));
  return begin < 0 ? lines : lines.slice(begin + 1);
}

/** The cause that the last lines of a log show, or an engine's `reason`; null where none is known. */
export function causeOf(lines: LogLine[], reason = ''): Cause | null {
  const texts = [...lastRun(lines).map((line) => line.text.replace(ESCAPES, '').trim()), reason];
  for (const { kind, pattern, detail } of RULES) {
    // The last word counts.
    for (const text of texts.toReversed()) {
      const match = pattern.exec(text);
      if (match) return { kind, detail: (detail ? detail(match) : (match[1] ?? '')).slice(0, 120) };
    }
  }
  return null;
}

const JAVA = /(?:java|jdk|jre|temurin|corretto|zulu|semeru)[^\d/]{0,3}(\d+)/i;

/** The Java version that an image's label or reference names. */
export const javaVersion = ({ label, reference }: Image): number | null => {
  const found = JAVA.exec(label) ?? JAVA.exec(reference);
  return found ? Number(found[1]) : null;
};

export interface Image {
  label: string;
  reference: string;
}

/**
 * Those of a template's images that another Java version comes with, the likeliest first: the one that is needed, later ones from the
 * nearest, earlier ones from the nearest. The present image is none of them.
 */
export function javaImages(images: readonly Image[], present: string, needed: string): Image[] {
  const wanted = Number(needed) || 0;
  const now = javaVersion(images.find((one) => one.reference === present) ?? { label: '', reference: present });
  const known = images.flatMap((image) => {
    const version = javaVersion(image);
    return version === null || version === now || image.reference === present ? [] : [{ image, version }];
  });
  const rank = (version: number) => (version >= wanted ? version - wanted : 1000 + wanted - version);
  // Without a number it is mostly that the present one is too old.
  return known.sort((a, b) => (wanted ? rank(a.version) - rank(b.version) : b.version - a.version)).map(({ image }) => image);
}

/** The variable that holds Steam's token of a game server, as eggs call it. */
export const gslVariable = <V extends { env_variable: string }>(variables: readonly V[]): V | null =>
  variables.find(({ env_variable }) => /GSLT|GSL_TOKEN|^STEAM_ACC$|^STEAM_TOKEN$|SRCDS_TOKEN|STEAM_ACCOUNT_TOKEN|LOGIN_TOKEN/i.test(env_variable)) ?? null;

const STEP = 256 * 1024 * 1024;

/** Half as much again, in whole gigabytes. */
export const moreDisk = (limit: number): number => Math.ceil((limit * 1.5) / 1024 ** 3) * 1024 ** 3;

/** Four times as many; not more than a server may have. */
export const moreProcesses = (limit: number): number => Math.min(limit * 4, 16_384);

/** Half as much again, in steps that people like; not more than the machine has. */
export function moreMemory(limit: number, total: number): number {
  const wanted = Math.ceil((limit * 1.5) / STEP) * STEP;
  return total > 0 ? Math.max(limit, Math.min(wanted, Math.floor(total / STEP) * STEP)) : wanted;
}
