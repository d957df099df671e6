// SPDX-License-Identifier: GPL-2.0-or-later
// Copies a text. A page that is served without TLS has no clipboard of its own, and most masters
// are served so: there the old way is taken.

import {announce} from './announcer.js';
import {h} from './globals.js';

export function CopyButton({caption, text}) {
  const copy = async () => {
    const done = await put(text).catch(() => false);
    announce(done ? 'Copied.' : 'The browser does not let the page copy; mark the text instead.');
  };
  return h('button', {type: 'button', onClick: copy}, caption);
}

async function put(text) {
  if (navigator.clipboard !== undefined) {
    await navigator.clipboard.writeText(text);
    return true;
  }
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'balancer-unseen';
  const focused = document.activeElement;
  document.body.append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  focused?.focus();
  return done;
}
