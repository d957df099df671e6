// SPDX-License-Identifier: GPL-2.0-or-later
// The data API of the master: what it knows, and what one may tell it to do.

import {getRestUrl} from './globals.js';

const PATIENCE = 20000;  // milliseconds
const root = getRestUrl(window.location).replace(/\/*$/, '/');

// `message` is a sentence for whoever looks at the page; `status` 0 is no answer at all.
export class Problem extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

// Resolves to {rows, total}; total is null where the master does not say it.
export async function get(path, query = {}) {
  const answer = await ask(path + asText(query), {});
  const plural = Object.keys(answer).find((key) => key !== 'meta');
  return {rows: answer[plural] ?? [], total: answer.meta?.total ?? null};
}

export function control(path, method, params) {
  return ask(path, {
    method: 'POST',
    body: JSON.stringify({jsonrpc: '2.0', id: 1, method, params}),
    headers: {'Content-Type': 'application/json'},
  });
}

function asText(query) {
  const said = Object.entries(query).filter(([, value]) => value !== null && value !== '');
  return said.length === 0 ? '' : `?${new URLSearchParams(said)}`;
}

async function ask(path, options) {
  const giveUp = new AbortController();
  const timer = setTimeout(() => giveUp.abort(), PATIENCE);
  try {
    return await answerTo(path, {...options, signal: giveUp.signal});
  } finally {
    clearTimeout(timer);
  }
}

async function answerTo(path, options) {
  let response;
  let said = null;
  try {
    response = await fetch(root + path, {
      ...options,
      cache: 'no-store',
      headers: {...options.headers, Accept: 'application/json'},
    });
    said = await response.json();
  } catch (error) {
    if (response === undefined || error.name === 'AbortError') {
      throw new Problem('The master does not answer.', 0);
    }
  }
  if (!response.ok || said === null || typeof said !== 'object') {
    throw new Problem(sentence(said, response.status), response.status);
  }
  return said;
}

// Buildbot's own words for what is nobody's fault but the address'.
const ORIGIN = 'This page was opened at another address than the buildbotURL of the master, which'
  + ' is the only one that it takes changes from.';

function sentence(said, status) {
  const error = said?.error?.message ?? said?.error;
  if (error === 'invalid origin') {
    return ORIGIN;
  }
  return typeof error === 'string' && error !== ''
    ? error : `The master answered with ${status} and no reason.`;
}
