/** Long enough for a browser that asks where to save it. */
const KEPT = 10_000;

/** A name that every system takes. */
export const fileName = (name: string, otherwise: string) => name.replace(/[^\p{L}\p{N}._-]+/gu, '-').slice(0, 60) || otherwise;

/** Gives the browser a file to save. */
export function download(name: string, type: string, text: string) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), KEPT);
}
