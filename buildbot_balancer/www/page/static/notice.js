// SPDX-License-Identifier: GPL-2.0-or-later
// Sentences that stand where there is nothing else to show, or above what may be out of date.

import {h} from './globals.js';
import {Clock} from './time.js';

export function Notice({bad = false, children}) {
  return h('p', {className: 'balancer-notice', 'data-bad': bad, role: bad ? 'alert' : 'status'},
    children);
}

// `resource` is what useResource returned. Null where all is well.
export function Trouble({resource}) {
  const {at, problem, rows} = resource;
  if (problem === null) {
    return rows === null ? h(Notice, null, 'Asking the master.') : null;
  }
  if (rows === null) {
    return h(Notice, {bad: true}, sentence(problem));
  }
  return h(Notice, {bad: true},
    `${sentence(problem).replace(/\.$/, '')}. What is shown is of `, h(Clock, {at}), '.');
}

// Where the plugin's paths are not known at all, Buildbot says so in its own words.
function sentence(problem) {
  return problem.status === 404 && problem.message.toLowerCase().startsWith('invalid path')
    ? 'The Balancer does not run on this master: its config has no util.Balancer.'
    : problem.message;
}
