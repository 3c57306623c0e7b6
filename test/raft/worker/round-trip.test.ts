import assert from "node:assert/strict";
import { RoundTrip } from "../../../raft/worker/round-trip.js";

describe("round trips", () => {
  it("are measured one at a time, twice a second at most", () => {
    const trip = new RoundTrip();
    const ping = trip.ping(0);
    assert.notEqual(ping, 0);
    assert.equal(trip.ping(600), 0, "one is on its way");
    assert.equal(trip.pong(ping, 700), 700);
    assert.equal(trip.pong(ping, 800), undefined, "an answer counts once");
    assert.notEqual(trip.ping(800), 0);
  });

  it("begin anew with the stream, and answers to the old one's pings count for nothing", () => {
    const trip = new RoundTrip();
    const lost = trip.ping(0);
    trip.reset();
    assert.equal(trip.ping(499), 0);
    const ping = trip.ping(500);
    assert.equal(trip.pong(lost, 501), undefined);
    assert.equal(trip.pong(ping, 502), 2);
  });
});
