-- What can be had again of a solution by the second, as its node says: when the log store had no room for all that reaches back to the
-- oldest snapshot it begins from, the account is told once, with the second from which on it can be had.
create function log_broken() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into event (account, solution, kind, by, data)
        values (new.account, new.id, 'log.broken', 'node', jsonb_build_object('name', new.name, 'from', new.seen->'log'->'from'));
    return null;
end $$;

create trigger log_broken after update of seen on solution for each row
    when (coalesce((new.seen->'log'->>'broken')::boolean, false) and not coalesce((old.seen->'log'->>'broken')::boolean, false))
    execute function log_broken();
