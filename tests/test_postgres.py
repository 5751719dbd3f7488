"""The store on PostgreSQL: what is true of this engine alone."""

import psycopg
import pytest
from databases import Postgres


def test_each_test_has_a_database_of_its_own_in_a_server_that_can_crash(postgres: Postgres) -> None:
    urls = [postgres.fresh(), postgres.fresh()]
    for url in urls:
        with psycopg.connect(url) as connection:
            connection.execute("create table mine (n integer)")
    postgres.stop()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(urls[0])
    postgres.start()
    with psycopg.connect(urls[0]) as connection:
        assert connection.execute("select count(*) from mine").fetchone() == (0,)
