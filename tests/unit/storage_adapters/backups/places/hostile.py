"""Lines that a dump must not hold. `{file}` would be touched, and `{other}` is another database."""

from __future__ import annotations

HOSTILE_TO_POSTGRES = {
    "a command of the shell": b"\\! touch {file}\n",
    "output into a program": b"\\o |touch {file}\n",
    "a client's copy from a program": b"\\copy customer from program 'touch {file}'\n",
    "a command in the middle of a line": b"SELECT 1 \\g |touch {file}\n",
    "a server's copy from a program": b"COPY customer FROM PROGRAM 'touch {file}';\n",
    "a server's copy into a file": b"COPY customer TO '{file}';\n",
    "a copy hidden behind a comment": b"/* COPY customer (id) FROM stdin; */ COPY customer FROM PROGRAM 'touch {file}';\n",
    "strings with another meaning of backslashes": b"SET standard_conforming_strings = off;\n",
    "a block of code": b"DO $$ BEGIN COPY customer FROM PROGRAM 'touch {file}'; END $$;\n",
    "a connection elsewhere": b'CREATE DATABASE a;\n\\connect a\n\\connect "dbname=b"\n',
    "the server's settings": b"ALTER SYSTEM SET archive_command = 'touch {file}';\n",
    "another role": b"SET ROLE postgres;\n",
    "a function of the server": b"SELECT pg_read_file('/etc/passwd');\n",
    "a library": b"CREATE FUNCTION f() RETURNS int\n    LANGUAGE c\n    AS '{file}', 'f';\n",
    "two statements for one": b"SET search_path = x\\; COPY a FROM PROGRAM 'touch {file}';\n",
    "no SQL": b"hello world\n",
}


HOSTILE_TO_MARIADB = {
    "a command of the shell": b"\\! touch {file}\n",
    "a command of the shell in words": b"system touch {file}\n",
    "another script": b"source {file};\n",
    "another database": b"USE a;\nUSE b;\n",
    "a table of another database": b"INSERT INTO `mysql`.`user` VALUES (1);\n",
    "a new table of another database": b"CREATE TABLE `{other}`.`t` (`id` int);\n",
    "a file of the client": b"LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE t;\n",
    "a file of the server": b"SELECT 1 INTO OUTFILE '{file}';\n",
    "a statement in a comment that this server executes": b"/*!50000 DROP TABLE `{other}`.`t` */;\n",
    "a comment that hides what is executed": b"/*!99999 INSERT INTO t VALUES (1) */ /*!40000 DROP TABLE `{other}`.t */;\n",
    "an outside that differs from its comment": b"/*!99999 INSERT INTO t VALUES ( */ DROP USER x;\n",
    "a setting of the server": b"SET GLOBAL general_log_file = '{file}';\n",
    "a password": b"SET PASSWORD = 'x';\n",
    "a statement behind a setting": b"SET STATEMENT max_statement_time=1 FOR DROP DATABASE x;\n",
    "an account": b"CREATE USER x;\n",
    "a library": b"CREATE FUNCTION f RETURNS INTEGER SONAME 'x.so';\n",
    "two statements for one": b"DELIMITER //\nINSERT INTO t VALUES (1); DROP DATABASE `{other}` //\n",
    "letters that hold a backslash": b"SET NAMES gbk;\n",
    "no SQL": b"hello world\n",
}
