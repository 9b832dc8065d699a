/**
 * The shapes of the HTTP API, in one place. Everything else imports from here, so that types generated from
 * `openapi.json` can take this file's place: `export type Server = components['schemas']['Server']`, and so on.
 */

/** Left out or null: both mean that there is none. */
type Maybe<T> = T | null;

export type Role = 'admin' | 'user';
export type Permission = 'view' | 'console' | 'power' | 'files' | 'edit' | 'delete';
export type ServerStatus =
  | 'installing'
  | 'install_failed'
  | 'stopped'
  | 'starting'
  | 'running'
  | 'stopping'
  | 'crashed'
  | 'suspended'
  | 'unknown';
export type PowerAction = 'start' | 'stop' | 'restart' | 'kill';

export interface Me {
  id: string;
  username: string;
  role: Role;
}
export interface User extends Me {
  createdAt: string;
  lastSeen?: Maybe<string>;
}
export interface SessionInfo {
  id: string;
  current: boolean;
  createdAt: string;
  lastUsed: string;
  address: string;
  userAgent: string;
}
export interface SignedIn {
  token: string;
  user: Me;
}
export interface Port {
  internal: number;
  external: number;
  protocol: 'tcp' | 'udp';
}
export interface Limits {
  memory: number;
  swap: number;
  disk: number;
  io: number;
  cpu: number;
}
export interface Stats {
  cpu: number;
  memory: number;
  disk: number;
  network: { in: number; out: number };
  players?: unknown;
  timestamp: string;
}
export interface Progress {
  percent?: Maybe<number>;
  text: string;
}
export interface Server {
  id: string;
  name: string;
  nodeId: string;
  templateId?: Maybe<string>;
  templateName?: Maybe<string>;
  image: string;
  startup: string;
  environment: Record<string, string>;
  limits: Limits;
  ports: Port[];
  status: ServerStatus;
  statusReason?: Maybe<string>;
  statusSince?: Maybe<string>;
  exitCode?: Maybe<number>;
  oomKilled?: Maybe<boolean>;
  startedAt?: Maybe<string>;
  restartAt?: Maybe<string>;
  stopDeadline?: Maybe<string>;
  progress?: Maybe<Progress>;
  stats?: Maybe<Stats>;
  createdAt: string;
  permissions: Permission[];
  nodeOnline: boolean;
  dataDir?: Maybe<string>;
  needsRestart: boolean;
}
export interface ServerPatch {
  name?: string;
  image?: string;
  startup?: string;
  environment?: Record<string, string>;
  limits?: Partial<Limits>;
  ports?: Port[];
}
export interface CreateServer {
  name?: string;
  nodeId?: string;
  templateId?: string;
  image?: string;
  startup?: string;
  environment?: Record<string, string>;
  limits?: Partial<Limits>;
  ports?: Port[];
  acceptEula?: boolean;
}
export interface Preview {
  nodeId: string;
  image: string;
  imagePresent: boolean;
  startup: string;
  environment: Record<string, string>;
  ports: Port[];
  limits: Limits;
  memory: { recommended: number; proposed: number; free: number; total: number };
  steps: string[];
  warnings: { code: string; message: string }[];
  blockers: { code: string; message: string; field?: Maybe<string> }[];
}
export interface ServerUser {
  user: string;
  username: string;
  permissions: Permission[];
}
export interface Problem {
  code: string;
  message: string;
  hint: string;
}
export interface SystemInfo {
  os: string;
  arch: string;
  memory?: number;
  cpu?: string;
  cores?: Maybe<number>;
  hostname?: Maybe<string>;
  kernel?: Maybe<string>;
  cgroup?: Maybe<string>;
  agentVersion?: Maybe<string>;
  dockerVersion?: Maybe<string>;
  dataDir?: Maybe<string>;
  networks?: Record<string, string>;
}
export interface Node {
  id: string;
  name: string;
  online: boolean;
  local: boolean;
  system?: Maybe<SystemInfo>;
  lastSeen?: Maybe<string>;
  capabilities: string[];
  usage?: Maybe<{
    cpu: number;
    memory: { used: number; total: number };
    disk: { used: number; total: number };
    timestamp: string;
  }>;
  engine?: Maybe<{ available: boolean; version?: Maybe<string>; apiVersion?: Maybe<string>; error?: Maybe<string> }>;
  problems?: Problem[];
  servers?: number;
}
export interface TemplateSummary {
  id: string;
  name: string;
  description: string;
  builtin: boolean;
  architectures: string[];
  image: string;
  ports: Port[];
  memory: { minimum: number; recommended: number };
  eula?: Maybe<{ name: string; url: string; variable: string; value: string }>;
  runs: Record<string, boolean>;
}
export interface Variable {
  name: string;
  description: string;
  env_variable: string;
  default_value: string;
  user_viewable: boolean;
  user_editable: boolean;
  rules: string;
}
export interface Template extends TemplateSummary {
  startup: string;
  stop?: Maybe<{ command?: Maybe<string>; signal?: Maybe<string> }>;
  stopTimeout?: Maybe<number>;
  ready?: Maybe<string>;
  variables: Variable[];
  dataPath?: Maybe<string>;
  user?: Maybe<string>;
  notes?: Maybe<string>;
}
export interface Status {
  version: string;
  readOnly: boolean;
  problems?: Problem[];
  startedAt: string;
}
