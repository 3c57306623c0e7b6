import assert from "node:assert/strict";
import * as fc from "fast-check";
import { kindNamed } from "../../src/api/registry.js";
import { strategicMergePatch } from "../../src/api/strategic-merge-patch.js";
import type { IkadaError } from "../../src/base/errors.js";

const { schema: pod } = kindNamed("pods");
const { schema: deployment } = kindNamed("deployments");

/** A Pod with these containers, tolerations, finalizers or what else. */
const podWith = (spec: object, metadata: object = {}): object => ({ metadata, spec });
const named = (...names: readonly string[]): readonly object[] => names.map((name) => ({ name }));

/** [what, live, patch, result], of Pods. */
const done: readonly (readonly [string, object, object, object])[] = [
  [
    "merges a list of items by its key, and adds new ones at the end",
    podWith({
      containers: [
        { name: "a", image: "1", tty: true },
        { name: "b", image: "1" },
      ],
    }),
    podWith({
      containers: [
        { name: "b", image: "2" },
        { name: "c", image: "3" },
      ],
    }),
    podWith({
      containers: [
        { name: "a", image: "1", tty: true },
        { name: "b", image: "2" },
        { name: "c", image: "3" },
      ],
    }),
  ],
  [
    "removes a field by null, also in an item",
    podWith({ hostname: "x", containers: [{ name: "a", image: "1", tty: true }] }),
    podWith({ hostname: null, containers: [{ name: "a", tty: null }] }),
    podWith({ containers: [{ name: "a", image: "1" }] }),
  ],
  [
    "removes an item by $patch: delete, and one that is not there",
    podWith({ containers: named("a", "b") }),
    podWith({
      containers: [
        { name: "a", $patch: "delete" },
        { name: "z", $patch: "delete" },
      ],
    }),
    podWith({ containers: named("b") }),
  ],
  [
    "replaces a list by $patch: replace",
    podWith({ containers: named("a", "b") }),
    podWith({ containers: [{ $patch: "replace" }, { name: "c", image: "1" }] }),
    podWith({ containers: [{ name: "c", image: "1" }] }),
  ],
  [
    "replaces an object by $patch: replace, empties it by delete, merges by merge",
    { metadata: { labels: { a: "1" }, annotations: { a: "1" } }, spec: { securityContext: { runAsUser: 1 } } },
    {
      metadata: { labels: { $patch: "replace", b: "2" }, annotations: { $patch: "delete" } },
      spec: { securityContext: { $patch: "merge", runAsGroup: 2 } },
    },
    { metadata: { labels: { b: "2" }, annotations: {} }, spec: { securityContext: { runAsUser: 1, runAsGroup: 2 } } },
  ],
  [
    "keeps only what $retainKeys names",
    podWith({
      volumes: [
        { name: "v", emptyDir: {} },
        { name: "w", emptyDir: {} },
      ],
    }),
    podWith({ volumes: [{ name: "v", $retainKeys: ["name", "configMap"], configMap: { name: "c" } }] }),
    podWith({
      volumes: [
        { name: "v", configMap: { name: "c" } },
        { name: "w", emptyDir: {} },
      ],
    }),
  ],
  [
    "orders by $setElementOrder, what only the live list has staying in its place",
    podWith({ containers: named("a", "b", "c", "d") }),
    podWith({ "$setElementOrder/containers": named("d", "new", "b"), containers: named("new") }),
    podWith({ containers: named("a", "c", "d", "new", "b") }),
  ],
  [
    "orders without changing items",
    podWith({ containers: named("a", "b", "c") }),
    podWith({ "$setElementOrder/containers": named("c", "b", "a") }),
    podWith({ containers: named("c", "b", "a") }),
  ],
  [
    "joins sets, and deletes values from them",
    podWith({}, { finalizers: ["a/x", "b/x"] }),
    podWith({}, { "$deleteFromPrimitiveList/finalizers": ["a/x", "z/x"], finalizers: ["b/x", "c/x"] }),
    podWith({}, { finalizers: ["b/x", "c/x"] }),
  ],
  [
    "orders sets",
    podWith({}, { finalizers: ["a/x", "b/x"] }),
    podWith({}, { "$setElementOrder/finalizers": ["c/x", "b/x", "a/x"], finalizers: ["c/x"] }),
    podWith({}, { finalizers: ["c/x", "b/x", "a/x"] }),
  ],
  [
    "replaces other lists as a whole",
    podWith({ tolerations: [{ key: "a" }], containers: [{ name: "a", command: ["x", "y"] }] }),
    podWith({ tolerations: [{ key: "b" }], containers: [{ name: "a", command: ["z"] }] }),
    podWith({ tolerations: [{ key: "b" }], containers: [{ name: "a", command: ["z"] }] }),
  ],
  [
    "replaces a keyed list that Kubernetes has no merge key for",
    podWith({ resources: { claims: named("a", "b") } }),
    podWith({ resources: { claims: named("c") } }),
    podWith({ resources: { claims: named("c") } }),
  ],
  [
    "takes Kubernetes' own merge key where it has one",
    { status: { hostIPs: [{ ip: "1" }, { ip: "2" }] } },
    { status: { hostIPs: [{ ip: "1", $patch: "delete" }] } },
    { status: { hostIPs: [{ ip: "2" }] } },
  ],
  [
    "means the port with the given protocol where a number is there twice",
    podWith({
      containers: [
        {
          name: "a",
          ports: [
            { containerPort: 53, protocol: "TCP" },
            { containerPort: 53, protocol: "UDP" },
          ],
        },
      ],
    }),
    podWith({ containers: [{ name: "a", ports: [{ containerPort: 53, protocol: "UDP", name: "dns" }] }] }),
    podWith({
      containers: [
        {
          name: "a",
          ports: [
            { containerPort: 53, protocol: "TCP" },
            { containerPort: 53, protocol: "UDP", name: "dns" },
          ],
        },
      ],
    }),
  ],
  [
    "adds a port with the number of another one, when the patch has both",
    podWith({ containers: [{ name: "a", ports: [{ containerPort: 53, protocol: "UDP", name: "dns" }] }] }),
    podWith({
      containers: [
        {
          name: "a",
          ports: [
            { containerPort: 53, protocol: "UDP" },
            { containerPort: 53, protocol: "TCP" },
          ],
        },
      ],
    }),
    podWith({
      containers: [
        {
          name: "a",
          ports: [
            { containerPort: 53, protocol: "UDP", name: "dns" },
            { containerPort: 53, protocol: "TCP" },
          ],
        },
      ],
    }),
  ],
  [
    "makes what is not there, without directives and nulls",
    {},
    podWith(
      {
        hostname: null,
        containers: [
          { name: "a", image: "1", tty: null },
          { name: "b", $patch: "delete" },
        ],
      },
      { labels: { a: null, b: "1" } },
    ),
    { metadata: { labels: { b: "1" } }, spec: { containers: [{ name: "a", image: "1" }] } },
  ],
  ["leaves the rest to the decoder", {}, { spec: { nonsense: [{ a: 1 }] } }, { spec: { nonsense: [{ a: 1 }] } }],
];

/** [patch, what the message says] */
const refused: readonly (readonly [unknown, RegExp])[] = [
  [[], /is a JSON object/],
  [podWith({ containers: [{ image: "1" }] }), /spec\.containers\[0\]\.name: is required/],
  [podWith({ containers: named("a", "b", "a") }), /spec\.containers\[2\]: is there twice/],
  [podWith({ containers: ["a"] }), /spec\.containers\[0\]: is no object/],
  [podWith({ containers: [{ name: "a", $patch: "remove" }] }), /spec\.containers\[0\]\.\$patch: is none of/],
  [podWith({ containers: [{ name: "a", $patch: "replace" }] }), /stands alone/],
  [podWith({ $patch: "drop" }), /spec\.\$patch: is none of/],
  [podWith({ $delete: [] }), /spec\.\$delete: is no directive/],
  [
    podWith({ "$setElementOrder/containers": named("a"), containers: named("b") }),
    /"b" is missing in \$setElementOrder/,
  ],
  [podWith({ "$setElementOrder/containers": named("a", "b"), containers: named("b", "a") }), /another place/],
  [podWith({ "$setElementOrder/tolerations": [] }), /order can't be set/],
  [podWith({ "$deleteFromPrimitiveList/containers": ["a"] }), /list of single values/],
  [podWith({ "$deleteFromPrimitiveList/containers": "a" }), /is no list/],
  [podWith({ strategy: { $retainKeys: ["type"], rollingUpdate: {} } }), /does not have "rollingUpdate"/],
  [JSON.parse('{"spec":{"__proto__":{"x":1}}}'), /may not be named/],
];

describe("strategic merge patch", () => {
  for (const [what, live, patch, after] of done)
    it(what, () => {
      const was = structuredClone([live, patch]);
      assert.deepEqual(strategicMergePatch(live, patch, pod), after);
      assert.deepEqual([live, patch], was, "live and patch stay as they are");
    });

  it("refuses what is wrong with its path", () => {
    for (const [patch, message] of refused)
      assert.throws(
        () => strategicMergePatch({ spec: {} }, patch, patch === refused[13]?.[0] ? deployment : pod),
        (error: IkadaError) => {
          assert.equal(error.reason, "BadRequest");
          assert.match(error.message, message);
          return true;
        },
      );
  });

  it("changes each item once, keeps all others, and gives the order that was asked for", () => {
    const names = fc.uniqueArray(fc.constantFrom<string>("a", "b", "c", "d", "e", "f"));
    fc.assert(
      fc.property(names, names, names, fc.context(), (live, changed, deleted, context) => {
        const kept = changed.filter((name) => !deleted.includes(name));
        const items = [
          ...kept.map((name) => ({ name, image: "new" })),
          ...deleted.map((name) => ({ name, $patch: "delete" })),
        ];
        const patch = podWith({ "$setElementOrder/containers": named(...kept), containers: items });
        const before = podWith({ containers: live.map((name) => ({ name, image: "old" })) });
        const after = strategicMergePatch(before, patch, pod);
        context.log(JSON.stringify(after));
        const { containers } = (after as { spec: { containers: { name: string; image: string }[] } }).spec;
        const expected = new Set([...live, ...kept].filter((name) => !deleted.includes(name)));
        assert.deepEqual(new Set(containers.map(({ name }) => name)), expected);
        assert.equal(containers.length, expected.size);
        for (const { name, image } of containers) assert.equal(image, kept.includes(name) ? "new" : "old");
        const order = containers.map(({ name }) => name);
        assert.deepEqual(
          order.filter((name) => kept.includes(name)),
          kept,
        );
        const others = live.filter((name) => expected.has(name) && !kept.includes(name));
        assert.deepEqual(
          order.filter((name) => !kept.includes(name)),
          others,
        );
        assert.deepEqual(strategicMergePatch(after, patch, pod), after, "doing it again changes nothing");
      }),
    );
  });
});
