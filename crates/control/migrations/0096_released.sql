-- A wish says which order its spec waited for last, so that a node on which that order brought other data back knows when the spec that belongs
-- to it has come.
alter table solution add column released uuid;
create function note_release() returns trigger language plpgsql as $$
begin
    new.released := old.hold_for;
    return new;
end $$;
create trigger note_release before update of hold_for on solution for each row
    when (old.hold_for is not null and new.hold_for is distinct from old.hold_for) execute function note_release();

alter function wish_json(solution) rename to wish_agreed_json;
create function wish_json(s solution) returns jsonb language sql stable as $$
    select wish_agreed_json(s) || case when s.released is null then '{}' else jsonb_build_object('released', s.released) end
$$;
