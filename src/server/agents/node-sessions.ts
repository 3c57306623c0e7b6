import type { ikada } from "#proto/agent.js";
import type { AnyObject } from "../../api/object.js";
import type { Done } from "../../base/env.js";
import { IkadaError } from "../../base/errors.js";
import type { Compare, WaitOptions } from "../../../store/store.js";
import type { AgentServices } from "./agent-services.js";
import { NodeSession, type AgentWire } from "./node-session.js";
import { registerNode } from "./node-registration.js";
import { fenceSession } from "./session-fence.js";

/** The protocol's version; an agent that speaks another one is told so. */
const format = 1;

/** An agent that may have a session. */
export interface Admission {
  /** Its Node. */
  readonly object: AnyObject;
  /** See `fenceSession`. */
  readonly fence: Compare;
}

/** The sessions of the agents that chose this replica, one for each node. */
export class NodeSessions {
  readonly #services: AgentServices;
  readonly #sessions = new Map<string, NodeSession>();

  constructor(services: AgentServices) {
    this.#services = services;
  }

  /** Undefined: the node has no session with this replica. */
  of(node: string): NodeSession | undefined {
    return this.#sessions.get(node);
  }

  /** Finds or makes the Node, and waits until this replica knows at least what the agent was told before. Older sessions of it report no more. */
  admit(node: string, hello: ikada.agent.v1.Hello, wait: WaitOptions, done: Done<Admission>): void {
    const { store, random, clock, network, replica } = this.#services;
    const refuse = (error: Error): void => done(error, undefined as never);
    const register = (): void =>
      registerNode({ store, random, clock, network, wait }, node, hello.labels, (error, object) => {
        if (error) return refuse(error);
        return fenceSession(store, node, hello.bootId, wait, (fenceError, fence) =>
          fenceError ? refuse(fenceError) : done(null, { object, fence }),
        );
      });
    store.reachedThen(
      hello.revision,
      (error) => {
        if (error) return refuse(error);
        if (replica.status().term >= hello.term) return register();
        // The barrier asks the leader; its answer brings this replica to the leader's term.
        return store.barrierThen((barrierError) => {
          if (barrierError) return refuse(barrierError);
          const { term } = replica.status();
          if (term >= hello.term) return register();
          const hint = "connect to another server";
          return refuse(
            new IkadaError("Unavailable", `this replica is in term ${term}, behind ${hello.term}`, { hint }),
          );
        }, wait);
      },
      wait,
    );
  }

  /** Opens the session of an admitted agent, which ends an older one of its node, and welcomes it. */
  open(node: string, bootId: string, { object, fence }: Admission, wire: AgentWire): NodeSession {
    const session = new NodeSession(this.#services, { node, bootId, fence }, wire);
    const older = this.#sessions.get(node);
    this.#sessions.set(node, session);
    older?.end(new IkadaError("Cancelled", `a newer session of node ${node} replaced this one`));
    const { clusterId, heartbeatMs, servers } = this.#services;
    const podCidr = (object["spec"] as { readonly podCIDR?: string } | undefined)?.podCIDR ?? "";
    const nodeUid = object.metadata.uid ?? "";
    wire.send({ welcome: { clusterId, nodeUid, heartbeatMs, servers: [...servers], podCidr } });
    session.start();
    return session;
  }

  /** The session is over. */
  close(session: NodeSession, bootId: string): void {
    session.close();
    if (this.#sessions.get(session.node) !== session) return;
    this.#sessions.delete(session.node);
    this.#services.liveness.setConnected(session.node, bootId, false);
  }

  /** Ends all of them from this side, so that agents go to other replicas at once. */
  end(error: IkadaError): void {
    for (const session of this.#sessions.values()) session.end(error);
  }
}

/** Whether the first message of a session is a hello that this server can answer. @throws IkadaError BadRequest, Unsupported, Forbidden */
export function checkHello(first: ikada.agent.v1.AgentMessage | undefined, node: string): ikada.agent.v1.Hello {
  const hello = first?.hello as ikada.agent.v1.Hello | undefined | null;
  if (!hello) throw new IkadaError("BadRequest", "the first message of a session is hello");
  if (hello.format !== format) {
    throw new IkadaError("Unsupported", `protocol version ${hello.format}; this server speaks ${format}`, {
      hint: "use an agent of the server's version",
    });
  }
  if (hello.node !== node) {
    throw new IkadaError("Forbidden", `the certificate is that of node "${node}", hello says "${hello.node}"`);
  }
  return hello;
}
