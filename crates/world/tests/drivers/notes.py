"""Runs a line as it is pasted into a program, beside the file ca.pem, and says how many notes there are."""

import os

import psycopg2 as psycopg  # noqa: F401
import pymysql  # noqa: F401

cursor = eval(os.environ["CODE"].replace("PASSWORD", os.environ["PASSWORD"])).cursor()
cursor.execute("SELECT count(*) FROM notes")
print(cursor.fetchone()[0])
