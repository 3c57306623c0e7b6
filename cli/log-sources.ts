import type { Pod } from "../src/api/kinds/pod.js";

/** One run of one container, whose log can be read. */
export interface LogSource {
  readonly pod: string;
  readonly container: string;
  /** Another one when the container runs again. */
  readonly id: string;
}

export interface ContainerChoice {
  /** Undefined: each Pod's default one. */
  readonly container: string | undefined;
  readonly all: boolean;
}

/** The default container, by the annotation that kubectl has for it, else the first. */
const defaultAnnotation = "kubectl.kubernetes.io/default-container";

/** What of a Pod is to be read; with `startedOnly` of what has begun to run, init containers first. */
export function logSources(pod: Pod, { container, all }: ContainerChoice, startedOnly: boolean): LogSource[] {
  const { metadata, spec, status } = pod;
  const inits = spec.initContainers ?? [];
  const names = [...inits, ...spec.containers].map(({ name }) => name);
  const preferred = metadata.annotations?.[defaultAnnotation];
  const first = names.includes(preferred ?? "") ? preferred : spec.containers[0]?.name;
  const wanted = all ? names : names.filter((name) => name === (container ?? first));
  const statuses = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  return wanted.flatMap((name) => {
    const found = statuses.find((one) => one.name === name);
    const hasStarted = found?.state?.running !== undefined || found?.state?.terminated !== undefined;
    if (startedOnly && !hasStarted) return [];
    const id = `${metadata.uid}/${name}/${found?.restartCount ?? 0}`;
    return [{ pod: metadata.name, container: name, id }];
  });
}
