// The types of the SDK: what an author's function is given and what it returns. The contract itself is wit/plugin.wit.

/** One member of the etcd cluster. */
export interface Member {
  /** etcd's member id in lower-case hex. */
  id(): string;
  name(): string;
  /** `voter` or `learner`; treat any other text as neither. */
  role(): string;
  started(): boolean;
  leader(): boolean;
  /** Whether it answered its status request in this observation. */
  reachable(): boolean;
  peerUrls(): string[];
  clientUrls(): string[];
  version(): string | null;
  /** Bytes. */
  dbSize(): number | null;
  dbSizeInUse(): number | null;
  raftIndex(): number | null;
  raftAppliedIndex(): number | null;
  raftTerm(): number | null;
  roundTripUs(): number | null;
  /** Errors that it reports about itself, and alarms raised for it. */
  problems(): string[];
  label(key: string): string | null;
}

/** The cluster that is being joined. */
export interface Cluster {
  id(): string;
  members(): Member[];
  leader(): Member | null;
  quorum(): number;
  /** How many more voters may be lost before the cluster stops. */
  faultTolerance(): number;
  observedAtMs(): number;
  label(key: string): string | null;
}

/** The member that wants to join, as it is planned. */
export interface Newcomer {
  name(): string;
  peerUrls(): string[];
  clientUrls(): string[];
  version(): string | null;
  label(key: string): string | null;
}

/** One sample of the candidate's progress. */
export interface Sample {
  atMs(): number;
  leaderIndex(): number;
  appliedIndex(): number;
  /** Entries behind the leader. */
  lag(): number;
  /** The leader's member id; null where there was none. */
  leader(): string | null;
  term(): number;
  /** Whether the candidate answered its own status request. */
  reachable(): boolean;
}

/** The window of samples, oldest first. */
export interface Samples extends Iterable<Sample> {
  readonly length: number;
  /** Sample `i`; negative counts from the newest. */
  at(i: number): Sample | undefined;
  /** The newest `n`, oldest first. */
  last(n: number): Sample[];
}

/** Something that happened. New kinds may appear in any release: ignore unknown ones. */
export interface Event {
  kind: string;
  atMs: number;
  details: Record<string, unknown>;
}

export type Verdict = { tag: 'approve' } | { tag: 'wait'; val: { reason: string; retryAfterMs: number | null } } | { tag: 'reject'; val: string };

export type Severity = 'info' | 'warning' | 'error';

export interface Finding {
  severity: Severity;
  code: string;
  message: string;
  remedy?: string | null;
  member?: string | null;
}

/** One thing that is wrong with the settings. */
export interface Problem {
  path?: string;
  message: string;
}

/** One setting: its default says its type. */
export interface Rule<T = unknown> {
  default: T;
  min?: number;
  max?: number;
  /** Numbers need not be whole. */
  fractions?: boolean;
  oneOf?: readonly T[];
}

export type Table = Record<string, Rule>;

type Widen<T> = T extends number ? number : T extends string ? string : T extends boolean ? boolean : T;

/** The settings that a table describes, read and complete. */
export type Values<T extends Table> = { [K in keyof T]: Widen<T[K]['default']> };

/** Role: has the learner caught up enough to become a voter? */
export type Promotion<T extends Table = {}> = (asked: {
  cluster: Cluster;
  candidate: Member;
  window: Samples;
  settings: Values<T>;
}) => Verdict;

/** Role: is the cluster healthy enough for this node to join? */
export type HealthCheck<T extends Table = {}> = (asked: { cluster: Cluster; newcomer: Newcomer; settings: Values<T> }) => Finding[];

/** Role: who is told what happened? */
export type Notifier<T extends Table = {}> = (asked: { events: Event[]; settings: Values<T> }) => void;

/** The candidate may become a voter. */
export function approve(): Verdict;

/** Not yet; asked again after `retryAfterMs` milliseconds, or with the next sample. */
export function wait(reason: string, retryAfterMs?: number): Verdict;

/** Give up: the join is undone. */
export function reject(reason: string): Verdict;

/** Something worth saying about the cluster; one of severity `error` refuses the join. */
export function finding(severity: Severity, code: string, message: string, more?: { remedy?: string; member?: string }): Finding;

/** Messages for whoever reads the run. */
export const log: Record<'debug' | 'info' | 'warn' | 'error', (...words: unknown[]) => void>;

/** Any value as text, errors with their causes. */
export function text(value: unknown): string;
