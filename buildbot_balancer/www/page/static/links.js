// SPDX-License-Identifier: GPL-2.0-or-later
// Ways to Buildbot's own pages and to the Balancer's.

import {h, Link} from './globals.js';

export const BuilderLink = ({id, name}) => h(Link, {to: `/builders/${id}`}, name);

export const WorkerLink = ({id, name}) => h(Link, {to: `/workers/${id}`}, name);

export const BuildLink = ({builderid, children, number}) =>
  h(Link, {to: `/builders/${builderid}/builds/${number}`}, children);

export const RequestLink = ({children, id}) =>
  h(Link, {to: `/balancer/requests/${id}`}, children ?? `${id}`);

// To a view of the Balancer's that shows only some: href('history', {worker: 'w1'})
export function href(view, filters = {}) {
  const said = new URLSearchParams(filters).toString();
  return `/balancer/${view}${said === '' ? '' : `?${said}`}`;
}
