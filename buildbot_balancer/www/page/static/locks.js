// SPDX-License-Identifier: GPL-2.0-or-later
// The locks: who holds them, since when, and who waits in which order.

import {Filters, TextFilter} from './filters.js';
import {h, Link, useState} from './globals.js';
import {BuildLink, href, RequestLink} from './links.js';
import {Notice, Trouble} from './notice.js';
import {count, Pager, usePages} from './pager.js';
import {useResource} from './resource.js';
import {Age} from './time.js';

const LIMIT = 25;
const FEW = 5;  // of a queue that are shown at once
const MORE = 100;

export function Locks() {
  const pages = usePages(LIMIT);
  const name = pages.params.get('name') ?? '';
  const locks = useResource('balancer/locks', {
    offset: pages.offset, limit: LIMIT, name__contains: name,
  }, {topics: ['balancer_locks/*/*']});
  const {rows, total} = locks;
  return h('section', null,
    h('h1', null, 'Locks', total === null ? '' : h('small', null, count(total))),
    h(Filters, null, h(TextFilter, {label: 'Name', name: 'name', pages})),
    h(Trouble, {resource: locks}),
    rows === null ? null : h(List, {busy: locks.busy, narrowed: name !== '', rows}),
    rows === null ? null : h(Pager, {pages, shown: rows.length, total}));
}

function List({busy, narrowed, rows}) {
  if (rows.length === 0) {
    return h(Notice, null, narrowed
      ? 'No lock is called like that.'
      : 'No lock is in use: no builder, step or worker of this master has one.');
  }
  return h('ul', {className: 'balancer-locks', 'aria-busy': busy}, rows.map((lock) =>
    h('li', {key: JSON.stringify([lock.name, lock.group])}, h(Lock, {lock}))));
}

function Lock({lock}) {
  const {group, held, holders, max, name, waiters} = lock;
  return h('article', null,
    h('h2', null, group ? `${name}[${group}]` : name, ' ',
      h('span', {className: 'balancer-meter', 'data-full': max !== null && held >= max},
        max === null ? `${held} held` : `${held} of ${max} held`)),
    lock.summary ? h('p', null, lock.summary) : null,
    h(Shares, {shares: holders, title: 'Held by'}),
    h(Shares, {numbered: true, shares: waiters, title: 'Waiting, in this order'}),
    h(Link, {
      className: 'balancer-more',
      to: href('history', {lock: name}),
      'aria-label': `History of ${name}`,
    }, 'History'));
}

// Long queues are shown a part at a time.
function Shares({numbered = false, shares, title}) {
  const [shown, setShown] = useState(FEW);
  if (shares.length === 0) {
    return null;
  }
  const left = shares.length - shown;
  return h('div', {className: 'balancer-shares'},
    h('h3', null, title),
    h(numbered ? 'ol' : 'ul', null, shares.slice(0, shown).map((share, i) =>
      h('li', {key: i}, h(Share, {share})))),
    left <= 0 ? null : h('button', {type: 'button', onClick: () => setShown(shown + MORE)},
      `${count(left)} more`));
}

function Share({share}) {
  const {builderid, buildrequestid, count: units, mode, number, since, what, worker} = share;
  const build = number !== null && builderid !== null;
  return h('span', null,
    build ? h(BuildLink, {builderid, number}, what)
      : buildrequestid !== null ? h(RequestLink, {id: buildrequestid}, what) : what,
    worker ? ` on ${worker}` : '',
    mode === 'exclusive' ? ', exclusive' : units === 1 ? '' : `, ${units} units`,
    since === null ? '' : h('span', {className: 'balancer-faint'},
      ', for ', h(Age, {at: since})),
    build && buildrequestid !== null
      ? h('span', null, ' (', h(RequestLink, {id: buildrequestid}, `request ${buildrequestid}`), ')')
      : '');
}
