import type { CsiSource } from "./pod.js";

/** Volumes that the node's engine keeps under a name, as `csi.driver` of a Pod's volume. */
export const namedVolumesDriver = "volumes.ikada.dev";

type Say = (field: string, message: string, reason?: "Invalid" | "Required" | "NotSupported") => void;

/** What stands wrong in a volume's `csi` at `path`. */
export function csiRules(csi: CsiSource, path: string, say: Say): void {
  const { driver, volumeAttributes = {}, fsType, nodePublishSecretRef } = csi;
  if (driver !== namedVolumesDriver) {
    say(`${path}.driver`, `"${driver}" is not known; the one that is: ${namedVolumesDriver}`, "NotSupported");
    return;
  }
  const { name, ...others } = volumeAttributes;
  if (name === undefined) say(`${path}.volumeAttributes.name`, "is required: the volume's name", "Required");
  else if (!/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name))
    say(`${path}.volumeAttributes.name`, `"${name}" is no DNS label (small letters, digits and "-", 63 at most)`);
  for (const attribute of Object.keys(others))
    say(`${path}.volumeAttributes.${attribute}`, `${namedVolumesDriver} has no such attribute`, "NotSupported");
  if (fsType) say(`${path}.fsType`, `${namedVolumesDriver} has the file system of its node`, "NotSupported");
  if (nodePublishSecretRef !== undefined)
    say(`${path}.nodePublishSecretRef`, `${namedVolumesDriver} needs no Secret`, "NotSupported");
}
