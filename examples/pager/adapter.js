// The pager channel: the pager's events are lines on stdin; what became of them, and replies, go to stdout.
import { createInterface } from "node:readline";
import { connected } from "./broker.js";
import { translate } from "./translate.js";

const { broker, stream } = await connected("pager");
const publish = (message) => stream.publish("inbound.pager.oncall", JSON.stringify(message));

async function hear(event, told) {
  for await (const message of broker.subscribe(`events.ingest.${event}.*`)) {
    const { data } = message.json();
    if (data.channel === "pager") console.log(told(data));
  }
}

async function deliver() {
  const durable = await stream.consumers.get("OUTBOUND_PAGER", "channel_pager");
  for await (const message of await durable.consume()) {
    const { type, data } = message.json();
    if (type.endsWith(".message_accepted")) console.log(`accepted CONV-${data.number}`);
    if (type.endsWith(".outbound_message")) {
      console.log(`reply to ${data.to.external_id}: ${data.text}`); // Here a pager would be called.
      const { conversation_id, reply_id } = data;
      await publish({ type: "delivery", conversation_id, reply_id, state: "delivered", external_id: reply_id });
    }
    message.ack(); // Only now: whoever dies before gets it once more, with the same reply_id.
  }
}

hear("message_duplicate", () => "duplicate");
hear("message_rejected", ({ field, reason }) => `rejected: ${field} ${reason}`);
deliver();
for await (const line of createInterface({ input: process.stdin })) {
  const message = translate(line);
  if (message) await publish(message); // Resolved once the stream has it on disk.
}
