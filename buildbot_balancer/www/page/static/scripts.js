// SPDX-License-Identifier: GPL-2.0-or-later
// The menu entry and the route. Buildbot's UI loads this file with each of its pages, so it is
// small: the page itself is fetched when somebody opens it.
(() => {
  'use strict';

  const {createElement: h, useEffect, useState} = window.React;
  const page = new URL('page.js', document.currentScript.src).href;

  function Scales() {
    const line = {fill: 'none', stroke: 'currentColor', strokeWidth: 1.6, strokeLinejoin: 'round'};
    return h('svg', {width: '1em', height: '1em', viewBox: '0 0 16 16', 'aria-hidden': true},
      h('path', {...line, d: 'M8 1.5v13M5 14.5h6M2.5 4h11'}),
      h('path', {...line, d: 'M0.8 10 3 4.5 5.2 10a2.4 1.8 0 0 1-4.4 0z'}),
      h('path', {...line, d: 'M10.8 10 13 4.5 15.2 10a2.4 1.8 0 0 1-4.4 0z'}));
  }

  function Balancer() {
    const [Page, setPage] = useState(null);
    const [problem, setProblem] = useState('');
    useEffect(() => {
      import(page).then(
        (module) => setPage(() => module.Page),
        (error) => setProblem(`The Balancer's page could not be loaded: ${error.message}`));
    }, []);
    if (Page !== null) {
      return h(Page);
    }
    return h('div', {className: 'container balancer', role: 'status'},
      problem === '' ? 'The page is being loaded.' : problem);
  }

  window.BuildbotPluginSupport.buildbotSetupPlugin((registry) => {
    registry.registerMenuGroup({
      name: 'balancer',
      caption: 'Balancer',
      icon: h(Scales),
      order: 12,  // behind Buildbot's own builds and workers
      route: '/balancer',
      parentName: null,
    });
    registry.registerRoute({
      route: '/balancer/*',
      group: 'balancer',
      element: () => h(Balancer),
    });
  });
})();
