// The reasoning and text of a reply. Their renderer is loaded with the first reply; until then, and
// without a connection, plain text is shown.

import { createElement } from "./dom.js";
import { Lazy } from "./lazy.js";

const renderer = new Lazy(async () => {
  const names = ["markdown", "reasoning", "vendor/dompurify", "vendor/marked"]; // none waits for another
  const [{ Markdown }, reasoning] = await Promise.all(names.map((name) => import(`./${name}.js`)));
  return { Markdown, ...reasoning };
});

export const loadRenderer = () => renderer.load().catch(() => {}); // the next reply tries again

export class ReplyBody {
  // body: the element of the text
  constructor(body) {
    this.body = body;
  }

  show(reply, isFinal) {
    this.shown = [reply, isFinal];
    if (renderer.value) return this.render(renderer.value);
    this.body.replaceChildren(createElement("p", { className: "plain" }, reply.content));
    void loadRenderer().then(() => renderer.value && this.render(renderer.value));
  }

  render({ Markdown, Reasoning, splitReasoning }) {
    const [reply, isFinal] = this.shown;
    if (!this.markdown) {
      this.body.replaceChildren();
      Object.assign(this, { markdown: new Markdown(this.body), reasoning: new Reasoning() });
      this.body.before(this.reasoning.element);
    }
    const [thoughts, text] = splitReasoning(reply);
    this.reasoning.show(thoughts, isFinal);
    this.markdown.show(text, isFinal);
  }
}
