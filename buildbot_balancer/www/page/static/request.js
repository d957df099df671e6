// SPDX-License-Identifier: GPL-2.0-or-later
// One request, at an address that stays: why it waits, then where it runs, then how it ended.

import {CopyButton} from './copy.js';
import {Events} from './events.js';
import {h, Link, useEffect} from './globals.js';
import {BuilderLink, BuildLink} from './links.js';
import {Trouble} from './notice.js';
import {useResource} from './resource.js';
import {Age, Clock} from './time.js';
import {Meanings, State} from './verdicts.js';

const BEGUN = new Set(['running', 'complete']);
const ENDED = 'complete';
const PAST = 50;  // lines of its history

export function Request({id}) {
  const request = useResource(`balancer/requests/${id}`, {}, {
    // Buildbot's own events tell of requests that the Balancer does not serve, too
    topics: [`balancer_requests/${id}/*`, 'balancer_requests/all/*', `buildrequests/${id}/*`],
  });
  const sight = request.rows?.[0];
  useTitle(sight);
  return h('section', {className: 'balancer-request'},
    h('h1', null, sight === undefined ? `Request ${id}` : h(Heading, {sight})),
    h(Trouble, {resource: request}),
    sight === undefined ? null : h(Told, {sight}));
}

function Heading({sight}) {
  return h('span', null, `Request ${sight.buildrequestid} of `,
    h(BuilderLink, {id: sight.builderid, name: sight.buildername}), ' ',
    h(State, {state: sight.state}));
}

function Told({sight}) {
  const {buildrequestid: id, verdicts} = sight;
  const waits = !BEGUN.has(sight.state);
  return h('div', null,
    h('p', {className: 'balancer-reason', 'aria-live': 'polite'}, sight.reason),
    waits ? null : h(Builds, {sight}),
    h(Facts, {sight, waits}),
    h('p', {className: 'balancer-ways'},
      h(CopyButton, {caption: 'Copy for a chat', text: forChat(sight)}),
      h(Link, {to: `/buildrequests/${id}?redirect_to_build=false`}, "Buildbot's page of it"),
      h(Link, {to: '/balancer/requests'}, 'All pending requests')),
    waits && verdicts.length > 0 ? h('h2', null, 'What the workers say') : null,
    waits && verdicts.length > 0 ? h(Meanings, {verdicts}) : null,
    h('h2', null, 'History'),
    h(Past, {id, state: sight.state}));
}

function Facts({sight, waits}) {
  return h('dl', {className: 'balancer-facts'},
    sight.position === null ? null
      : h(Fact, {name: 'Place in the queue'},
        sight.position === 1 ? '1, it is next' : sight.position),
    h(Fact, {name: waits ? 'Waits for' : 'Submitted'},
      waits ? h(Age, {at: sight.submitted_at}) : h(Clock, {at: sight.submitted_at})),
    waits ? h(Fact, {name: 'Since'}, h(Clock, {at: sight.submitted_at})) : null,
    h(Fact, {name: 'Priority'}, sight.priority));
}

const Fact = ({children, name}) => h('div', null, h('dt', null, name), h('dd', null, children));

// A request has several builds where one was tried again.
function Builds({sight}) {
  const {buildrequestid: id, state} = sight;
  const builds = useResource(`buildrequests/${id}/builds`, {order: '-buildid', limit: 10}, {
    topics: state === ENDED ? [] : [`buildrequests/${id}/*`, `builders/${sight.builderid}/builds/*/*`],
  });
  if (builds.rows === null || builds.rows.length === 0) {
    return null;
  }
  return h('ul', {className: 'balancer-builds'}, builds.rows.map((build) =>
    h('li', {key: build.buildid},
      h(BuildLink, {builderid: build.builderid, number: build.number}, `Build #${build.number}`),
      `: ${build.state_string}`)));
}

function Past({id, state}) {
  const events = useResource(`balancer/requests/${id}/history`, {limit: PAST}, {
    topics: state === ENDED ? [] : [`balancer_requests/${id}/*`],
  });
  return h('div', null,
    h(Trouble, {resource: events}),
    h(Events, {empty: 'Nothing is recorded of this request yet.', resource: events}));
}

const forChat = ({buildername, buildrequestid, reason, state}) =>
  `Request ${buildrequestid} of ${buildername} (${state}): ${reason}\n${window.location.href}`;

function useTitle(sight) {
  const title = sight && `Request ${sight.buildrequestid} of ${sight.buildername}: ${sight.state}`;
  useEffect(() => {
    if (title === undefined) {
      return undefined;
    }
    const before = document.title;
    document.title = title;
    return () => {
      document.title = before;
    };
  }, [title]);
}
