import assert from "node:assert/strict";
import { resourceField } from "../../../node-agent/core/resource-field.js";
import { podOf } from "../agent-world.js";

const main = {
  name: "main",
  image: "i",
  resources: { requests: { cpu: "250m", memory: "64Mi" }, limits: { memory: "128Mi" } },
};
const other = { name: "other", image: "i", resources: { limits: { cpu: "3" } } };
const pod = podOf("p", { containers: [main, other] });
const allocatable = { cpu: "4", memory: "8Gi" };

describe("resource fields of environment variables", () => {
  const table: readonly [string, { resource: string; containerName?: string; divisor?: string }, string | undefined][] =
    [
      ["bytes", { resource: "limits.memory" }, "134217728"],
      ["in a unit", { resource: "limits.memory", divisor: "1Mi" }, "128"],
      ["rounded up", { resource: "requests.memory", divisor: "1G" }, "1"],
      ["processors, rounded up", { resource: "requests.cpu" }, "1"],
      ["in thousandths", { resource: "requests.cpu", divisor: "1m" }, "250"],
      ["of another container", { resource: "limits.cpu", containerName: "other" }, "3"],
      ["what the node has where there is no limit", { resource: "limits.cpu" }, "4"],
      ["nothing where there is no request", { resource: "requests.cpu", containerName: "other" }, "0"],
      ["a divisor of 0 is 1", { resource: "limits.cpu", divisor: "0" }, "4"],
      ["no such container", { resource: "limits.cpu", containerName: "none" }, undefined],
      ["no such part", { resource: "uses.cpu" }, undefined],
    ];
  for (const [name, field, expected] of table)
    it(name, () => assert.equal(resourceField(field, pod, main, allocatable), expected));
});
