/** Ikada's own Resources.Watch, or Watch of etcd's API. */
export type Service = "resources" | "etcd";

/** What is changed and watched: ConfigMaps of a namespace, or keys below a prefix. */
export const watchedNamespace = "default";
export const watchedPrefix = "watched";
