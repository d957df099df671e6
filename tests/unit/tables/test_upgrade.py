# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import contextlib
import shutil
import threading
from pathlib import Path
from unittest import mock

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from support.databases import OnPostgres
from support.databases import OnSqlite
from support.databases import on_each
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.explain.event import MOOD
from buildbot_balancer.explain.event import Event
from buildbot_balancer.tables import events
from buildbot_balancer.tables import upgrade as module
from buildbot_balancer.tables.schema import METADATA
from buildbot_balancer.tables.schema import VERSION_TABLE
from buildbot_balancer.tables.seen import SEEN
from buildbot_balancer.tables.upgrade import upgrade

NEWEST = '0003'
OURS = {VERSION_TABLE, SEEN.name, *METADATA.tables}
ADD_A_COLUMN = """\
import sqlalchemy as sa

revision = '9999'
down_revision = '0003'


def upgrade(operations):
    operations.add_column('balancer_history', sa.Column('master', sa.String(64)))
"""


class Upgrading:
    def version(self, number=None):
        def work(connection):
            if number is not None:
                table = sa.table(VERSION_TABLE, sa.column('version_num'))
                connection.execute(sa.update(table).values(version_num=number))
            return [row[0] for row in connection.exec_driver_sql('select * from balancer_version')]

        return self.do(work)

    def record(self):
        self.do(events.insert, [Event(kind=MOOD, at=1.0, worker='w')])

    def recorded(self):
        query = 'select count(*) from balancer_history'
        return self.do(lambda connection: connection.exec_driver_sql(query).scalar())

    def differences(self):
        """Between the tables that there are and those that the code knows."""

        def is_ours(name, kind, _):
            return kind != 'table' or (name in OURS and name != 'balancer_version')

        def work(connection):
            # Float(53) comes back from MySQL as DOUBLE, which Alembic takes for something else
            types = connection.dialect.name != 'mysql'
            options = {'include_name': is_ours, 'compare_type': types}
            context = MigrationContext.configure(connection, opts=options)
            return compare_metadata(context, METADATA)

        return self.do(work)

    def test_an_empty_database_gets_the_tables_that_the_code_knows(self):
        self.assertEqual(upgrade(self.engine), '')
        self.assertEqual(self.tables(), OURS)
        self.assertEqual(self.differences(), [])
        self.assertEqual(len(self.version()), 1)

    def test_tables_that_are_up_to_date_are_left_alone(self):
        upgrade(self.engine)
        self.record()
        with mock.patch.object(module, '_alone') as alone:
            self.assertEqual(upgrade(self.engine), '')
        self.assertFalse(alone.called)
        self.assertEqual(self.recorded(), 1)

    def test_the_tables_of_others_are_left_alone(self):
        def work(connection):
            connection.exec_driver_sql('create table alembic_version (version_num varchar(32))')
            connection.exec_driver_sql("insert into alembic_version values ('066')")

        self.do(work)
        self.assertEqual(upgrade(self.engine), '')
        query = 'select version_num from alembic_version'
        self.assertEqual(self.do(lambda c: c.exec_driver_sql(query).scalar()), '066')

    def test_masters_that_start_together_make_the_tables_once(self):
        count = 5
        all_have_looked, alone = threading.Barrier(count), module._alone
        said = []

        @contextlib.contextmanager
        def together(connection):
            all_have_looked.wait(30)
            with alone(connection):
                yield

        def start():
            said.append(upgrade(self.make_engine()))

        with mock.patch.object(module, '_alone', together):
            masters = [threading.Thread(target=start) for _ in range(count)]
            for master in masters:
                master.start()
            for master in masters:
                master.join()
        self.assertEqual(said, [''] * count)
        self.assertEqual(len(self.version()), 1)
        self.assertEqual(self.differences(), [])

    def test_an_upgrade_that_was_cut_off_is_finished(self):
        upgrade(self.engine)
        self.record()

        def work(connection):
            of = {'mysql': ' on balancer_history'}.get(connection.dialect.name, '')
            connection.exec_driver_sql(f'drop index balancer_history_lock{of}')
            connection.exec_driver_sql('drop table balancer_pause')
            connection.exec_driver_sql('delete from balancer_version')

        self.do(work)
        self.assertEqual(upgrade(self.engine), '')
        self.assertEqual(self.differences(), [])
        self.assertEqual(self.recorded(), 1)

    def test_the_first_tables_of_all_are_brought_up_and_keep_what_is_in_them(self):
        folder = Path('older')
        shutil.copytree(Path(module.__file__).parent / 'versions', folder / 'versions')
        for newer in ('v0002.py', 'v0003.py'):
            (folder / 'versions' / newer).unlink()
        self.assertEqual(upgrade(self.engine, folder), '')
        self.assertEqual(self.version(), ['0001'])
        self.record()
        self.assertEqual(upgrade(self.engine), '')
        self.assertEqual((self.version(), self.recorded()), ([NEWEST], 1))
        self.assertEqual(self.differences(), [])

    def test_tables_of_an_older_version_are_brought_up_and_keep_what_is_in_them(self):
        upgrade(self.engine)
        self.record()
        folder = Path('newer')
        shutil.copytree(Path(module.__file__).parent / 'versions', folder / 'versions')
        (folder / 'versions' / 'v9999.py').write_text(ADD_A_COLUMN)
        self.assertEqual(upgrade(self.engine, folder), '')
        columns = [one['name'] for one in sa.inspect(self.engine).get_columns('balancer_history')]
        self.assertIn('master', columns)
        self.assertEqual((self.version(), self.recorded()), (['9999'], 1))

    def test_tables_of_a_newer_version_are_refused_in_one_sentence(self):
        upgrade(self.engine)
        self.version('9999')
        said = upgrade(self.engine)
        self.assertEqual(
            said,
            'the tables balancer_* have version 9999, and this buildbot-balancer knows them up to'
            f' {NEWEST}: a newer one has made them',
        )
        self.assertEqual(self.version(), ['9999'])


globals().update(on_each(Upgrading))


class ReadOnlySqlite(OnSqlite, SynchronousTestCase):
    def read_only(self):
        self.engine.connect().close()  # makes the file
        path = Path('state.sqlite').resolve()
        engine = sa.create_engine(f'sqlite:///file:{path}?mode=ro&uri=true')
        self.addCleanup(engine.dispose)
        return engine

    def test_where_creating_is_refused_it_says_so_in_one_sentence(self):
        said = upgrade(self.read_only())
        self.assertEqual(
            said,
            'the tables balancer_* cannot be made or read: attempt to write a readonly database',
        )
        self.assertEqual(self.tables(), set())

    def test_tables_that_are_up_to_date_can_be_read(self):
        upgrade(self.engine)
        self.assertEqual(upgrade(self.read_only()), '')

    def test_a_database_that_is_not_there_is_one_sentence(self):
        said = upgrade(sa.create_engine('sqlite:////nowhere/state.sqlite'))
        self.assertEqual(
            said, 'the tables balancer_* cannot be made or read: unable to open database file'
        )


class ReadOnly:
    def test_a_user_who_may_not_create_tables_is_told_so(self):
        role = f'reader_{self.engine.url.database}'
        self.do(lambda connection: connection.exec_driver_sql(f'create role {role} login') and None)
        said = upgrade(self.make_engine(self.url.replace('balancer@', f'{role}@')))
        self.assertIn('permission denied for schema public', said)
        self.assertNotIn('CREATE', said)
        self.assertEqual(self.tables(), set())


globals().update(on_each(ReadOnly, OnPostgres))
