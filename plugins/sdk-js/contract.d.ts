// The contract's interfaces that a plugin may import itself. What is not in every plugin's world must be named under
// `capabilities` in runner-plugin.toml, and be granted by the operator. A refusal is thrown; `text(error)` says what it was.

declare module 'runner:plugin/clock@0.1.1' {
  /** Milliseconds since 1970 (UTC). */
  export function nowMs(): number;
}

declare module 'runner:plugin/random@0.1.1' {
  /** At most 4096 random bytes, recorded with the run: not for keys. */
  export function bytes(len: number): Uint8Array;
}

declare module 'runner:plugin/http@0.1.1' {
  export interface Header { name: string; value: string }
  export interface Request { method: string; url: string; headers: Header[]; body: Uint8Array; timeoutMs: number | null }
  export interface Response { status: number; headers: Header[]; body: Uint8Array }
  /** Sends one request and reads its whole answer. Any status is an answer. */
  export function send(request: Request): Response;
}

declare module 'runner:plugin/secrets@0.1.1' {
  export interface Secret { reveal(): string }
  export function get(name: string): Secret;
}

declare module 'runner:plugin/etcd@0.1.1' {
  export interface Entry { key: string; value: Uint8Array; modRevision: number }
  export interface MemberStatus {
    version: string; dbSize: number; dbSizeInUse: number; raftIndex: number; raftAppliedIndex: number; raftTerm: number;
    leader: string | null; learner: boolean; problems: string[]; roundTripUs: number;
  }
  export function get(key: string): Entry | null;
  export function listKeys(prefix: string, limit: number): Entry[];
  export function status(member: string): MemberStatus;
}

declare module 'runner:plugin/kubernetes@0.1.1' {
  /** The object as JSON; null where there is none. */
  export function get(apiVersion: string, kind: string, namespace: string | null, name: string): string | null;
  export function listObjects(apiVersion: string, kind: string, namespace: string | null, selector: string | null): string[];
}

declare module 'runner:plugin/probes@0.1.1' {
  export interface Latency { count: number; minUs: number; medianUs: number; p90Us: number; p99Us: number; maxUs: number }
  export interface Space { total: number; available: number }
  export interface ClockOffset { earliestMs: number; latestMs: number }
  export interface Certificate { subject: string; issuer: string; notBeforeMs: number; notAfterMs: number; names: string[]; authority: boolean }
  export function fsync(directory: string, writes: number): Latency;
  export function diskSpace(path: string): Space;
  export function memory(): Space;
  export function connect(url: string, times: number): Latency;
  export function pathMtu(url: string): number;
  export function clockOffsetOf(url: string): ClockOffset;
  export function certificates(path: string): Certificate[];
  export function certificatesOf(url: string): Certificate[];
}
