import type Docker from "dockerode";

/** Removes every container of a cluster, or of one of its nodes, and returns how many there were. No engine, no containers. */
export async function removeContainers(docker: Docker, clusterId: string, node?: string): Promise<number> {
  const label = [`ikada.cluster=${clusterId}`, ...(node === undefined ? [] : [`ikada.node=${node}`])];
  let containers: Docker.ContainerInfo[];
  try {
    containers = await docker.listContainers({ all: true, filters: { label } });
  } catch (caught) {
    if (["ECONNREFUSED", "ENOENT"].includes((caught as NodeJS.ErrnoException).code ?? "")) return 0;
    throw caught;
  }
  await Promise.all(containers.map(({ Id }) => docker.getContainer(Id).remove({ force: true })));
  return containers.length;
}
