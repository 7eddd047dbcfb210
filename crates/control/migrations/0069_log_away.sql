-- Logs of databases leave the machine: to which node what opens a log's repository may be released, and which backups a log begins from.

-- Where the log stood when a backup was taken, and the young backups of a solution that have it.
alter table backup add column point jsonb;
alter table backup_plan add column bases jsonb not null default '[]';

create function backup_pointed() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
declare said jsonb := (select o.result->'point' from verb_order o where o.id = new.order_id);
begin
    if new.state = 'ready' and jsonb_typeof(said) = 'object' then
        new.point := jsonb_build_object('line', counted(said->>'line'), 'next', counted(said->>'next'));
    end if;
    return new;
end $$;
create trigger backup_pointed before update of state on backup for each row
    when (new.state is distinct from old.state) execute function backup_pointed();

create function backup_bases() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update backup_plan set bases = (
        select coalesce(jsonb_agg(jsonb_build_object('backup', b.id, 'target', b.target, 'taken', b.taken, 'line', b.point->'line', 'next', b.point->'next')
                                  order by b.taken), '[]')
          from (select * from backup where solution = new.solution and state = 'ready' and point is not null and taken > now() - interval '15 days'
                 order by taken desc limit 100) b)
     where solution = new.solution;
    return null;
end $$;
create trigger backup_bases after update of state on backup for each row
    when (new.state is distinct from old.state) execute function backup_bases();

-- Whether a node may have what opens the log of a solution, and where that goes: by the solution's place on the node and its plan, for a log is sent
-- all day. It opens that log, and neither the backups nor any other. The line of evidence comes before the key; none when it may not.
create function node_unlock_log(p_node text, p_solution uuid, p_recipient text, p_own text) returns jsonb
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    s solution;
    place uuid;
    line bigint;
begin
    select * into s from solution where id = p_solution and deleted is null and node = p_node and aim <> 'gone';
    if not found or is_sealed(s) or not exists (select from backup_plan p where p.solution = s.id and p.enabled) then return null; end if;
    place := target_of(s.id, p_own);
    if place is null then return null; end if;
    insert into evidence (who, act, account, solution, before, visible_from)
        values ('node:' || p_node, 'backup.key-released', s.account, s.id,
                jsonb_build_object('number', s.number, 'for', 'log', 'target', place, 'recipient', left(p_recipient, 100)), now())
        returning id into line;
    return jsonb_build_object('evidence', line, 'solution', s.id, 'number', s.number, 'target', place, 'make', true,
                              'repository', repository_of(s.id, place) || jsonb_build_object('folder', s.number || '-log'));
end $$;
grant execute on function node_unlock_log(text, uuid, text, text) to husorden_system;
