/**
 * The shapes of the HTTP API by short names. They are generated from `openapi.json`, which the panel's own tests keep
 * equal to its handlers, so that a page that reads what is not sent fails `npm run check`.
 */
import type { components } from '../../generated/schema';

type Schemas = components['schemas'];

export type Role = Schemas['Role'];
export type Permission = Schemas['Permission'];
/** `delete` belongs to administrators and is granted to nobody. */
export type GrantedPermission = Schemas['GrantedPermission'];
export type ServerStatus = Schemas['ServerStatus'];
export type PowerAction = Schemas['PowerAction'];
export type Me = Schemas['Me'];
export type User = Schemas['User'];
export type SessionInfo = Schemas['SessionInfo'];
export type SshKey = Schemas['SshKey'];
export type SftpAccess = Schemas['SftpAccess'];
export type Port = Schemas['Port'];
export type Limits = Schemas['Limits'];
export type Stats = Schemas['Stats'];
export type Progress = Schemas['Progress'];
export type Server = Schemas['Server'];
export type ServerPatch = Schemas['ServerPatch'];
export type CreateServer = Schemas['CreateServer'];
export type Behaviour = Schemas['Behaviour'];
export type BehaviourChange = Schemas['BehaviourChange'];
export type Preview = Schemas['Preview'];
export type Player = Schemas['Player'];
export type PlayerAction = Schemas['PlayerAction'];
export type Players = Schemas['Players'];
export type Reach = Schemas['Reach'];
export type Share = Schemas['Share'];
export type SharedServer = Schemas['SharedServer'];
export type Schedule = Schemas['Schedule'];
export type ScheduleAction = Schemas['ScheduleAction'];
export type ScheduleCondition = Schemas['ScheduleCondition'];
export type SchedulePlan = Schemas['SchedulePlan'];
export type ScheduleRun = Schemas['ScheduleRun'];
export type ScheduleTrigger = Schemas['ScheduleTrigger'];
export type Schedules = Schemas['Schedules'];
export type Backup = Schemas['Backup'];
export type BackupPatch = Schemas['ChangeBackup'];
export type BackupPolicy = Schemas['BackupPolicy'];
export type BackupPolicyChange = Schemas['BackupPolicyChange'];
export type BackupCheck = Schemas['BackupCheck'];
export type BackupRepository = Schemas['BackupRepository'];
export type DeletedServer = Schemas['DeletedServer'];
export type BackupTarget = Schemas['BackupTarget'];
export type BackupTargetChange = Schemas['ChangeBackupTarget'];
export type BackupTargetKind = Schemas['BackupTargetKind'];
export type BackupTargetLocation = Schemas['BackupTargetLocation'];
export type BackupTargetTest = Schemas['BackupTargetTest'];
export type BackupTargetTry = Schemas['TestBackupTarget'];
export type PanelRestoreFound = Schemas['SetupRestoreFound'];
export type PanelRestoreProgress = Schemas['SetupRestoreProgress'];
export type Registry = Schemas['Registry'];
export type TemplateSource = Schemas['TemplateSource'];
export type TemplateSources = Schemas['TemplateSources'];
export type TemplateSourceEntry = Schemas['TemplateSourceEntry'];
export type TemplateSourceEntries = Schemas['TemplateSourceEntries'];
export type ServerUser = Schemas['ServerUser'];
export type Problem = Schemas['Problem'];
export type SystemInfo = Schemas['SystemInfo'];
export type Node = Schemas['Node'] & NodeLink;
export type NodePatch = Schemas['NodePatch'];
export type NodeMade = Schemas['NodeMade'];
export type Difference = Schemas['Difference'];
export type Mend = Schemas['Mend'];
/** What is known of the link to a node's agent, where it is. */
export interface NodeLink {
  /** A round trip, smoothed. */
  latencyMs?: number | null;
  /** How far its clock is ahead of the panel's. */
  clockSkewMs?: number | null;
  /** It came by TLS. */
  secure?: boolean | null;
  encoding?: string | null;
  /** Its agent is of another make. */
  limited?: boolean | null;
}
export type TemplateSummary = Schemas['TemplateSummary'];
export type Move = Schemas['Move'];
export type MoveStep = Schemas['MoveStep'];
export type Template = Schemas['Template'];
export type TemplateAdded = Schemas['TemplateAdded'];
export type TemplateWarning = Schemas['TemplateWarning'];
export type TemplateFile = Schemas['TemplateFile'];
export type ServerImage = Schemas['ServerImage'];
export type ServerTemplateVersion = Schemas['ServerTemplateVersion'];
export type TemplateImportPreview = Schemas['TemplateImportPreview'];
export type Variable = Schemas['Variable'];
export type Status = Schemas['Status'];
export type DoctorLevel = Schemas['DoctorLevel'];
export type DoctorFinding = Schemas['DoctorFinding'];
export type DoctorReport = Schemas['DoctorReport'];
export type Upgrade = Schemas['Upgrade'];
export type NodeUpgrade = Schemas['NodeUpgrade'];
