// SPDX-License-Identifier: GPL-2.0-or-later
// Load (the line) and builds (the steps) of a worker over the last hour, asked for only where
// somebody can see it.

import {h, useEffect, useRef, useState} from './globals.js';
import {useResource} from './resource.js';

const WIDTH = 120;
const HEIGHT = 26;
const HOUR = 3600;
const MINUTE = 60000;  // milliseconds; a sample is taken about as often
const TORN = 180;  // seconds without a sample: the line has a hole

export function Sparkline({id, name}) {
  const [place, seen] = useSeen();
  const path = seen ? `balancer/workers/${id}/samples` : null;
  const {rows, problem} = useResource(path, {}, {every: MINUTE});
  const samples = (rows ?? []).filter((one) => one.at > Date.now() / 1000 - HOUR);
  return h('span', {ref: place, className: 'balancer-spark'},
    samples.length < 2
      ? h('span', {className: 'balancer-faint'}, rows || problem ? 'no samples yet' : '')
      : h(Drawing, {name, samples}));
}

function Drawing({name, samples}) {
  const begin = Date.now() / 1000 - HOUR;
  const x = (at) => (((at - begin) / HOUR) * WIDTH).toFixed(1);
  const loads = samples.map((one) => one.load).filter((load) => load !== null);
  const topLoad = Math.max(1, ...loads);
  const topBuilds = Math.max(1, ...samples.map((one) => one.running));
  return h('svg', {
    role: 'img',
    'aria-label': describe(name, samples, loads),
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: 'none',
  },
  h('title', null, describe(name, samples, loads)),
  h('path', {className: 'balancer-spark-builds', d: steps(samples, x, topBuilds)}),
  h('path', {className: 'balancer-spark-load', d: line(samples, x, topLoad)}));
}

const y = (value, top) => (HEIGHT - 1 - (value / top) * (HEIGHT - 3)).toFixed(1);

function line(samples, x, top) {
  let last = null;
  return samples.filter((one) => one.load !== null).map((one) => {
    const torn = last === null || one.at - last > TORN;
    last = one.at;
    return `${torn ? 'M' : 'L'}${x(one.at)} ${y(one.load, top)}`;
  }).join('');
}

function steps(samples, x, top) {
  const first = x(samples[0].at);
  const levels = samples.map((one) => `H${x(one.at)}V${y(one.running, top)}`).join('');
  return `M${first} ${HEIGHT}${levels}H${WIDTH}V${HEIGHT}Z`;
}

function describe(name, samples, loads) {
  const now = samples[samples.length - 1];
  const most = Math.max(...samples.map((one) => one.running));
  const load = loads.length === 0 ? 'load unknown'
    : `load ${Math.min(...loads).toFixed(2)} to ${Math.max(...loads).toFixed(2)} per CPU`;
  return `${name} in the last hour: ${load}, at most ${most} builds, now ${now.running}`;
}

// True once the place has been near the visible part of the page.
function useSeen() {
  const place = useRef(null);
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    const watcher = new IntersectionObserver((entries) => {
      setSeen(entries[entries.length - 1].isIntersecting);
    }, {rootMargin: '200px'});
    watcher.observe(place.current);
    return () => watcher.disconnect();
  }, []);
  return [place, seen];
}
