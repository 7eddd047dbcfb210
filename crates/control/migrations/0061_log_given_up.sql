-- A disk that is used up takes the snapshots that a log begins from, so that its owner can clear up. What can be had again by the second
-- then begins anew, and the account is told.
create function log_given_up() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into event (account, solution, kind, by, data)
        values (new.account, new.id, 'log.broken', 'node', jsonb_build_object('name', new.name, 'from', new.seen->'log'->'from', 'full', true));
    return null;
end $$;

create trigger log_given_up after update of seen on solution for each row
    when (new.filled = 100 and coalesce((new.seen->>'looked')::boolean, false) and jsonb_typeof(old.seen->'log') = 'object'
        and not coalesce((new.seen->'log'->>'broken')::boolean, false)
        and coalesce((new.seen->'log'->>'from')::timestamptz > (old.seen->'log'->>'from')::timestamptz, true))
    execute function log_given_up();
