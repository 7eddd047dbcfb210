-- Lists and searches where there are a hundred thousand of each. A part of a text is found by its trigrams; PostgreSQL brings the
-- extension along and trusts it to the owner of a database. Entries go into the indexes at once: a list of pending ones would be
-- read by every search until somebody vacuums.

create schema extension;
create extension pg_trgm schema extension;

create index solution_by_name_part on solution using gin (name extension.gin_trgm_ops) with (fastupdate = off) where deleted is null;
create index solution_by_label on solution using gin (labels) with (fastupdate = off) where deleted is null;
create index solution_by_owner on solution (account, id) where deleted is null;
create index solution_in_trouble on solution (id) where seen_state = 'trouble' and deleted is null;
create index account_by_name_part on account using gin (lower(name) extension.gin_trgm_ops) with (fastupdate = off);
create index case_by_number_part on case_file using gin (lower(number) extension.gin_trgm_ops) with (fastupdate = off);
create index case_by_facts_part on case_file using gin (lower(facts) extension.gin_trgm_ops) with (fastupdate = off);
create index case_by_clause on case_file (clause, id);
create index measure_standing on measure (account) where lifted is null;
