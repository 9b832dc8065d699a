/**
 * Icons as plain markup. The library's own component puts each together when it is drawn, from attributes in objects: for a list of
 * servers that was a quarter of the page's time. The page gives `size`, `fill` and `class`, and no other property.
 */
const ICON = /\/@lucide\/svelte\/dist\/icons\/[\w-]+\.svelte$/;
const DATA = /const iconData = (\{.*\});\n/;

const attributes = (of) => Object.entries(of).map(([name, value]) => `${name}="${value}"`).join(' ');

/** What stands in the file of one icon. */
export function plainIcon(content) {
  const found = DATA.exec(content);
  if (!found) throw new Error('the icon library has changed the form of its files');
  const { size, node } = JSON.parse(found[1]);
  const shapes = node.map(([tag, of]) => `<${tag} ${attributes(of)} />`).join('');
  return `<script>let { size = 24, fill = 'none', class: extra } = $props();</script>
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size} ${size}" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" width={size} height={size} {fill} class={["lucide", extra]}>${shapes}</svg>
`;
}

/** A preprocessor of Svelte. */
export const plainIcons = {
  name: 'plain-icons',
  markup: ({ content, filename }) => (filename && ICON.test(filename.split('?')[0]) ? { code: plainIcon(content) } : undefined)
};
