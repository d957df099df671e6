// SPDX-License-Identifier: GPL-2.0-or-later
// The page: which view is shown at which address.

import {Announcer} from './announcer.js';
import {Builders} from './builders.js';
import {
  h, Navigate, NavLink, Route, Routes, useLocation, useParams, useTopbarItems,
} from './globals.js';
import {Guard} from './guard.js';
import {History} from './history.js';
import {useLive} from './live.js';
import {Locks} from './locks.js';
import {Notice} from './notice.js';
import {Request} from './request.js';
import {Requests} from './requests.js';
import {Workers} from './workers.js';

const TABS = [
  ['workers', 'Workers'],
  ['requests', 'Requests'],
  ['locks', 'Locks'],
  ['builders', 'Builders'],
  ['history', 'History'],
];
const CRUMBS = [{caption: 'Balancer', route: '/balancer'}];

export function Page() {
  useTopbarItems(CRUMBS);
  return h('div', {className: 'container balancer'},
    h('nav', {className: 'balancer-tabs', 'aria-label': 'Balancer'},
      h('ul', null, TABS.map(([path, caption]) =>
        h('li', {key: path}, h(NavLink, {to: `/balancer/${path}`}, caption)))),
      h(Live)),
    h(Guard, {key: useLocation().pathname},  // the next view begins without the last one's error
      h(Routes, null,
        h(Route, {index: true, element: h(Navigate, {to: '/balancer/workers', replace: true})}),
        h(Route, {path: 'workers', element: h(Workers)}),
        h(Route, {path: 'requests', element: h(Requests)}),
        h(Route, {path: 'requests/:id', element: h(OneRequest)}),
        h(Route, {path: 'locks', element: h(Locks)}),
        h(Route, {path: 'builders', element: h(Builders)}),
        h(Route, {path: 'history', element: h(History)}),
        h(Route, {path: '*', element: h(Notice, null, 'There is no such page of the Balancer.')}))),
    h(Announcer));
}

// Another id is another request: nothing of the last one is shown meanwhile.
function OneRequest() {
  const {id} = useParams();
  return /^\d+$/.test(id)
    ? h(Request, {key: id, id})
    : h(Notice, null, 'A request is named by its number, as in /balancer/requests/41.');
}

function Live() {
  const live = useLive();
  return h('span', {className: 'balancer-live', 'data-live': live, role: 'status'},
    live ? 'Live' : 'Not live: looks every few seconds');
}
