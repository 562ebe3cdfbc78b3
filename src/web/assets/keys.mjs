// Keys and changes as words: which keys a pattern means, what a change did, which kind it is of.

/** The lab format's glob: `*` within a segment, `**` across; without a star, a part of the key. */
export function matcher(glob) {
  const text = glob.trim();
  if (!text) return () => true;
  if (!text.includes("*")) return (key) => key.includes(text);
  const pattern = text.split("**").map((part) => part.split("*").map((plain) => plain.replace(/[.+?^${}()|[\]\\]/g, "\\$&")).join("[^/]*")).join(".*");
  const expression = new RegExp(`^${pattern}$`);
  return (key) => expression.test(key);
}

/** No write: the watch missed something, or the cluster went back and its revisions begin anew. */
export const isBreak = (change) => change.type === "GAP" || change.type === "EPOCH";

export const verb = (change) => (change.type === "DELETE" ? "deleted" : change.created ? "created" : "changed");

export function kindOf(key) {
  const parts = key.split("/").filter(Boolean);
  if (parts[0] !== "registry") return parts[0] ?? key;
  if (parts[1] === "services") return parts[2] === "endpoints" ? "endpoints" : "services";
  // /registry/GROUP.with.dots/KIND/… of custom resources and some built-in ones.
  return (parts[1]?.includes(".") ? parts[2] : parts[1]) ?? parts[0];
}
