import { IkadaError } from "../base/errors.js";
import type { KindDefinition } from "../api/kind.js";
import type { Caller, Role } from "./authentication.js";

/** What a call may need. One per RPC; reading Secrets is asked for beside it. */
export type Permission =
  | "anyone"
  | "objects:read"
  | "objects:write"
  | "secrets:read"
  | "pods:logs"
  | "pods:exec"
  | "images:load"
  | "cluster:read"
  | "cluster:operate"
  | "cluster:backup"
  | "etcd:use"
  | "agent:session"
  | "replica:peer";

/** Every RPC of every listener and what it needs. A method that is not here can't be registered, nor be called. */
export const methodPermissions: Readonly<Record<string, Permission>> = {
  "/ikada.api.v1.Resources/Get": "objects:read",
  "/ikada.api.v1.Resources/List": "objects:read",
  "/ikada.api.v1.Resources/Watch": "objects:read",
  "/ikada.api.v1.Resources/Create": "objects:write",
  "/ikada.api.v1.Resources/Update": "objects:write",
  "/ikada.api.v1.Resources/Apply": "objects:write",
  "/ikada.api.v1.Resources/Patch": "objects:write",
  "/ikada.api.v1.Resources/Delete": "objects:write",
  "/ikada.api.v1.Resources/DeleteCollection": "objects:write",
  "/ikada.api.v1.Resources/Evict": "objects:write",
  "/ikada.api.v1.Resources/Explain": "objects:read",
  "/ikada.api.v1.Resources/Scale": "objects:write",
  "/ikada.api.v1.Resources/History": "objects:read",
  "/ikada.api.v1.Resources/Undo": "objects:write",
  "/ikada.api.v1.Resources/RevisionAt": "objects:read",
  "/ikada.api.v1.Resources/Kinds": "objects:read",
  "/ikada.api.v1.Resources/Table": "objects:read",
  "/ikada.api.v1.Pods/Logs": "pods:logs",
  // Whoever may do these may do all that the container may, and reads its Secrets.
  "/ikada.api.v1.Pods/Exec": "pods:exec",
  "/ikada.api.v1.Pods/Attach": "pods:exec",
  "/ikada.api.v1.Pods/PortForward": "pods:exec",
  "/ikada.api.v1.Pods/ReadArchive": "pods:exec",
  "/ikada.api.v1.Pods/WriteArchive": "pods:exec",
  "/ikada.api.v1.Pods/Stats": "objects:read",
  "/ikada.api.v1.Nodes/Stats": "objects:read",
  // Who may do this decides what runs under a name.
  "/ikada.api.v1.Images/Load": "images:load",
  "/ikada.api.v1.Images/List": "objects:read",
  "/ikada.api.v1.Cluster/Status": "cluster:read",
  "/ikada.api.v1.Cluster/TransferLeadership": "cluster:operate",
  "/ikada.api.v1.Cluster/ChangeMembers": "cluster:operate",
  // All that there is, Secrets among it.
  "/ikada.api.v1.Cluster/Backup": "cluster:backup",
  "/ikada.agent.v1.Agent/Session": "agent:session",
  "/ikada.agent.v1.Agent/PodStream": "agent:session",
  "/ikada.agent.v1.Replicas/ShareLiveness": "replica:peer",
  "/ikada.agent.v1.Replicas/PodStream": "replica:peer",
  "/ikada.agent.v1.Replicas/Status": "replica:peer",
  "/ikada.agent.v1.Replicas/ChangeMembers": "replica:peer",
  "/ikada.agent.v1.Replicas/Lease": "replica:peer",
  // All of it or nothing: its keys are bytes whose meaning is the callers'.
  "/etcdserverpb.KV/Range": "etcd:use",
  "/etcdserverpb.KV/Put": "etcd:use",
  "/etcdserverpb.KV/DeleteRange": "etcd:use",
  "/etcdserverpb.KV/Txn": "etcd:use",
  "/etcdserverpb.KV/Compact": "etcd:use",
  "/etcdserverpb.Watch/Watch": "etcd:use",
  "/etcdserverpb.Lease/LeaseGrant": "etcd:use",
  "/etcdserverpb.Lease/LeaseRevoke": "etcd:use",
  "/etcdserverpb.Lease/LeaseKeepAlive": "etcd:use",
  "/etcdserverpb.Lease/LeaseTimeToLive": "etcd:use",
  "/etcdserverpb.Lease/LeaseLeases": "etcd:use",
  "/etcdserverpb.Cluster/MemberList": "etcd:use",
  "/etcdserverpb.Maintenance/Alarm": "etcd:use",
  "/etcdserverpb.Maintenance/Status": "etcd:use",
  "/etcdserverpb.Maintenance/Defragment": "etcd:use",
  "/etcdserverpb.Maintenance/Hash": "etcd:use",
  "/etcdserverpb.Maintenance/HashKV": "etcd:use",
  // Its request holds the token.
  "/etcdserverpb.Auth/Authenticate": "anyone",
  // Load balancers ask without a token; the answer says only whether this replica serves.
  "/grpc.health.v1.Health/Check": "anyone",
  "/grpc.health.v1.Health/Watch": "anyone",
  "/grpc.health.v1.Health/List": "anyone",
  "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": "objects:read",
  "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": "objects:read",
};

const rolePermissions: Readonly<Record<Role, ReadonlySet<Permission>>> = {
  admin: new Set<Permission>([
    "objects:read",
    "objects:write",
    "secrets:read",
    "pods:logs",
    "pods:exec",
    "images:load",
    "cluster:read",
    "cluster:operate",
    "cluster:backup",
    "etcd:use",
  ]),
  view: new Set<Permission>(["objects:read", "pods:logs", "cluster:read"]),
  node: new Set<Permission>(["agent:session"]),
  server: new Set<Permission>(["replica:peer"]),
};

/** What this method needs; undefined when it has no entry, which means: nobody may call it. */
export function permissionOf(path: string): Permission | undefined {
  return Object.hasOwn(methodPermissions, path) ? methodPermissions[path] : undefined;
}

export function isAllowed(role: Role, permission: Permission): boolean {
  return permission === "anyone" || rolePermissions[role].has(permission);
}

/** @throws IkadaError Forbidden */
export function requirePermission(caller: Caller, permission: Permission, what: string): void {
  if (isAllowed(caller.role, permission)) return;
  throw new IkadaError("Forbidden", `${caller.role} "${caller.name}" may not ${what} (needs ${permission})`, {
    hint: "use a token of a role that may",
  });
}

/** Secrets' contents are not for everyone who may read. @throws IkadaError Forbidden */
export function requireReadable(caller: Caller, kind: KindDefinition): void {
  if (kind.group === "" && kind.kind === "Secret") requirePermission(caller, "secrets:read", "read secrets");
}
