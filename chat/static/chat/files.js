// Images and files: what can be attached to a message, and how messages show them.

import { button, createElement } from "./dom.js";

const MAGIC = { "\x89PNG": "image", "\xFF\xD8\xFF": "image", GIF8: "image", "RIFF....WEBP": "image", "%PDF-": "file" };
const UNITS = ["bytes", "KB", "MB"];
const MARGIN = "400px"; // around the visible part of the list, in which images are loaded

// Return what a file is: "image", "file" (a PDF), "text", or null. The server looks at its content, too.
export async function kindOf(file) {
  const head = String.fromCharCode(...new Uint8Array(await file.slice(0, 12).arrayBuffer()));
  const known = Object.keys(MAGIC).find((magic) => [...magic].every((each, i) => each === "." || each === head[i]));
  if (known) return MAGIC[known];
  // U+FFFD replaces bytes that are no UTF-8.
  return /[\0\uFFFD]/.test(await file.text()) ? null : "text";
}

export function sizeText(bytes) {
  const power = bytes < 1000 ? 0 : bytes < 1e6 ? 1 : 2;
  return `${Number((bytes / 1000 ** power).toPrecision(2))} ${UNITS[power]}`;
}

export const labelOfFile = ({ name, size }) => `${name}, ${sizeText(size)}`;

// Return a message as parts: its text, then its files, which are uploaded. Without files, undefined.
export async function toParts(session, content, files) {
  for (const each of files) each.part ??= await uploadPart(session, each);
  if (!files.length) return undefined;
  return [...(content.trim() ? [{ type: "text", text: content }] : []), ...files.map(({ part }) => part)];
}

async function uploadPart(session, { name, kind, file }) {
  const { id } = await session.upload(file, name);
  return { type: kind, file_id: id };
}

// Return the images and files of a stored message, as attachments of another one.
export function filesOf({ parts = [] }) {
  return parts.filter(({ type }) => type !== "text").map(({ type: kind, filename, size, ...members }) => {
    const { file_id, url, detail } = members;
    const source = file_id ? { file_id } : { url };
    return { name: filename ?? url, size, kind, part: { type: kind, ...source, ...(detail && { detail }) } };
  });
}

// Return the text of a message and the names of its images and files.
export function asText({ content, parts = [] }) {
  const files = parts.filter(({ type }) => type !== "text").map(({ type, filename, url }) => `[${type}: ${filename ?? url}]`);
  return [content, ...files].filter(Boolean).join("\n");
}

// The images and files below a message's text. Images are loaded when they are nearly visible.
export class FileList {
  urls = new Map(); // file id -> promise of the URL of its content

  // getSession: returns the current session; box: the scrolling element
  constructor(getSession, box) {
    this.getSession = getSession;
    const onChange = (entries) => entries.filter(({ isIntersecting }) => isIntersecting).forEach(({ target }) => this.load(target));
    this.visible = new IntersectionObserver(onChange, { root: box, rootMargin: MARGIN });
  }

  // Return the list of a message's files; null if it has none.
  element({ parts = [] }) {
    const files = parts.filter(({ file_id: id }) => id);
    if (!files.length) return null;
    return createElement("ul", { className: "files", ariaLabel: "Files" }, ...files.map((each) => this.item(each)));
  }

  item({ type, file_id: value, filename: name, size }) {
    const label = labelOfFile({ name, size });
    const shown = type === "image" ? createElement("img", { alt: name }) : label;
    const download = button(shown, "download", { value, name, title: `Download ${label}` });
    if (type === "image") {
      shown.dataset.file = value;
      this.visible.observe(shown);
    }
    return createElement("li", {}, download);
  }

  async load(image) {
    this.visible.unobserve(image);
    try {
      image.src = await this.url(image.dataset.file);
    } catch (error) {
      // The name of the image remains. `ParleyError` of the embedded element is another class.
      if (typeof error.code !== "string") throw error;
    }
  }

  url(id) {
    if (!this.urls.has(id)) {
      const url = this.getSession().download(id).then((content) => URL.createObjectURL(content));
      url.catch(() => this.urls.delete(id));
      this.urls.set(id, url);
    }
    return this.urls.get(id);
  }

  async download(id, name) {
    createElement("a", { href: await this.url(id), download: name }).click();
  }

  clear() {
    this.visible.disconnect();
    for (const url of this.urls.values()) void url.then(URL.revokeObjectURL, () => {});
    this.urls.clear();
  }
}
