// From what the pager tells to what Deskstream reads: pure, so that every kind of page is a row in a table.
const LONGEST = 30_000; // Characters; a whole message has 64 KiB.

/** The message that a line of the pager's is; null where nobody wrote anything to us, or nobody could read it. */
export function translate(line) {
  try {
    return messageOf(JSON.parse(line));
  } catch (error) {
    console.error(`left out, because ${error.message}: ${line.slice(0, 200)}`); // One bad line must not end it all.
    return null;
  }
}

function messageOf(event) {
  if (event.from === "desk") return null; // What we sent ourselves comes back on the feed.
  const about = { sender: { external_id: event.from, name: event.name }, title: event.subject };
  const thread = { external_id: event.incident };
  switch (event.event) {
    case "paged":
      return { ...about, thread, external_id: event.id, ...textOf(event), attachments: event.files?.map(fileOf) };
    // An id stands for one content, so a later version is a message of its own that names the first one.
    case "edited":
      return { ...about, thread: { ...thread, references: [event.id] }, external_id: `${event.id}/${event.version}`,
        text: event.text, flags: ["edited"] };
    case "withdrawn":
      return { ...about, thread: { ...thread, references: [event.id] }, external_id: `${event.id}/withdrawn`,
        flags: ["deleted"] };
    default:
      return null; // Heartbeats, and whatever the pager invents next.
  }
}

function textOf({ text = "" }) {
  return text.length <= LONGEST ? { text } : { text: text.slice(0, LONGEST), flags: ["text_cut"] };
}

function fileOf({ name, type, base64 }) {
  return { name, media_type: type, size: Buffer.from(base64, "base64").length, content_base64: base64 };
}
