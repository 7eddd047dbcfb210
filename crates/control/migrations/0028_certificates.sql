-- How the house is: with when the first of each node's certificates ends.
create or replace function house_look() returns jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select jsonb_build_object(
        'at', now(),
        'jobs', (select coalesce(jsonb_agg(j), '[]') from (
            select kind, count(*) filter (where done is null and dead is null) as open,
                   count(*) filter (where done is null and dead is null and due < now() - interval '1 minute') as late,
                   count(*) filter (where dead is not null) as dead,
                   coalesce(extract(epoch from now() - min(due) filter (where done is null and dead is null and due < now())), 0)::float8 as oldest_s
            from job group by kind order by kind) j),
        'nodes', (select coalesce(jsonb_agg(n), '[]') from (
            select name, connected, extract(epoch from now() - heard)::float8 as silent_s,
                   health->>'certificate_ends' as certificate_ends from node order by name) n),
        'solutions', (select coalesce(jsonb_agg(s), '[]') from (
            select kind, coalesce(seen_state, 'unseen') as state, count(*) as count from solution where deleted is null group by 1, 2 order by 1, 2) s),
        'measures_not_in_force', (select count(*) from measure_node n join measure m on m.id = n.measure
            where n.state in ('ordered', 'kept') and m.lifted is null and m.starts <= now() and (m.ends is null or m.ends > now())),
        'measures_standing', (select count(*) from measure m
            where m.lifted is null and m.starts <= now() and (m.ends is null or m.ends > now())),
        'evidence_open', (select count(*) from evidence where ended is null and begun < now() - interval '5 minutes'),
        'checkpoint_s', (select extract(epoch from now() - max(at))::float8 from evidence_checkpoint),
        'database_bytes', pg_database_size(current_database()),
        'database_version', current_setting('server_version'))
$$;
