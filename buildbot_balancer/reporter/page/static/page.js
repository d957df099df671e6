/* SPDX-License-Identifier: GPL-2.0-or-later
 * Keeps the page true. All that it can do is done by forms, so it works without this, too.
 */

const EVERY = 2000; // milliseconds
const PATIENCE = 5000;
const parts = ['state', 'rest'];
const pulse = document.getElementById('pulse');

function tell(text, live) {
  if (pulse.textContent !== text) pulse.textContent = text;
  pulse.dataset.live = live;
}

function take(text) {
  const found = new DOMParser().parseFromString(text, 'text/html');
  for (const id of parts) {
    const old = document.getElementById(id);
    const fresh = found.getElementById(id);
    if (fresh && !old.isEqualNode(fresh)) replace(old, fresh);
  }
  document.title = found.body.firstElementChild.title;
}

/* What a screen reader listens to stays the same element. */
function replace(old, fresh) {
  const mood = old.querySelector('#mood');
  const said = fresh.querySelector('#mood');
  if (mood && said) {
    if (!mood.isEqualNode(said)) mood.replaceChildren(...said.childNodes);
    said.replaceWith(mood);
  }
  for (const { name, value } of fresh.attributes) old.setAttribute(name, value);
  old.replaceChildren(...fresh.childNodes);
}

function mark() {
  const { said } = document.getElementById('state').dataset;
  for (const one of document.querySelectorAll('[data-say]')) {
    if (one.dataset.say === said) one.setAttribute('aria-current', 'true');
    else one.removeAttribute('aria-current');
  }
}

async function look() {
  const signal = AbortSignal.timeout(PATIENCE);
  const answer = await fetch('state', { cache: 'no-store', redirect: 'error', signal });
  if (answer.status === 403 || answer.status === 404) return false;
  if (!answer.ok) throw new Error(answer.status);
  take(await answer.text());
  mark();
  tell('live', true);
  return true;
}

async function follow() {
  let goes = true;
  try {
    if (!document.hidden) goes = await look();
  } catch {
    tell('not live: the worker does not answer', false);
  }
  if (goes) setTimeout(follow, EVERY);
  else tell('this page is over: call "buildbot-balancer page" for a new one', false);
}

mark();
follow();
