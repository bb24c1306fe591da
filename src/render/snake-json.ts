/** The API's JSON with names in snake_case, as firectl prints it. Values and the keys of maps stay as they are. */

/** Fields whose keys are values of the account: dimensions and tags. */
const MAPS = new Set(["group", "annotations"]);

/** Changes the names of fields only; anything that is not a plain object or a list stays the same object. */
export function snakeCased(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCased);
  if (typeof value !== "object" || value === null || "rawJSON" in value) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [snakeName(name), MAPS.has(name) ? inner : snakeCased(inner)]),
  );
}

function snakeName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
