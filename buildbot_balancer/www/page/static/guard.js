// SPDX-License-Identifier: GPL-2.0-or-later
// An error in a view stays in that view: without this, React takes all of Buildbot's UI down.

import {Component, h} from './globals.js';
import {Notice} from './notice.js';

export class Guard extends Component {
  constructor(props) {
    super(props);
    this.state = {error: null};
  }

  static getDerivedStateFromError(error) {
    return {error};
  }

  render() {
    const {error} = this.state;
    return error === null
      ? this.props.children
      : h(Notice, {bad: true}, `This view has failed: ${error.message}`);
  }
}
