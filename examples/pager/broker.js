// What any adapter does at the desk's broker, as the user that an adapter of its channel is there.
import { readFileSync } from "node:fs";
import { jetstream } from "@nats-io/jetstream";
import { connect, nkeyAuthenticator } from "@nats-io/transport-node";

/** Joins the desk that DESKSTREAM_NATS_URL names; tries again for ever when the broker goes away. */
export async function joined({ channel, inbox }) {
  const broker = await connected(channel);
  // On a guarded broker an adapter has an account of its own, and asks by way of the desk's.
  const stream = jetstream(broker, { apiPrefix: process.env.DESKSTREAM_NATS_SEED_FILE ? "DESK.API" : "$JS.API" });
  return {
    /** Resolved once the stream has it on disk. */
    publish: (message) => stream.publish(`inbound.${channel}.${inbox}`, JSON.stringify(message)),
    /** What ingest says of our messages, heard live: `message_duplicate` or `message_rejected`. */
    onReport: (event, told) => hear(broker.subscribe(`events.ingest.${event}.*`), channel, told),
    /** What is meant for the channel, by event. Acknowledged when the function is done; if it throws, the process ends. */
    onOutbound: (functions) => work(stream, channel, functions),
  };
}

function connected(channel) {
  const told = (name) => process.env[`DESKSTREAM_NATS_${name}`];
  const [seed, caFile] = [told("SEED_FILE"), told("TLS_CA_FILE")];
  return connect({
    servers: told("URL"),
    authenticator: seed ? nkeyAuthenticator(Buffer.from(readFileSync(seed, "utf8").trim())) : undefined,
    tls: caFile ? { caFile, certFile: told("TLS_CERT_FILE"), keyFile: told("TLS_KEY_FILE") } : undefined,
    inboxPrefix: `_INBOX_channel_${channel}`, // The only one that a guarded broker lets this user read.
    maxReconnectAttempts: -1,
  });
}

async function hear(subscription, channel, told) {
  for await (const message of subscription) {
    const { data } = message.json();
    if (data.channel === channel) told(data);
  }
}

async function work(stream, channel, functions) {
  const durable = await stream.consumers.get(`OUTBOUND_${channel.toUpperCase()}`, `channel_${channel}`);
  for await (const message of await durable.consume()) {
    const { type, data } = message.json();
    await functions[type.split(".").at(-1)]?.(data); // An event that it does not know concerns others.
    message.ack(); // Only now: whoever dies before gets it once more, with the same reply_id.
  }
}
