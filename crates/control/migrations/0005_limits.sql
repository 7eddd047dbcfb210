-- Numbers that a refused creation gives back, and reports of a look that failed.

-- A sequence does not roll back, so that creations that are refused would use up the numbers of the whole installation. The
-- last number is in a row instead; whoever makes a solution holds it to the commit.
alter table platform
    add column last_number integer not null default 0
    constraint platform_numbers_spent check (last_number between 0 and 4194302);
update platform set last_number = coalesce((select max(number) from solution), 0);
alter table solution alter column number drop default;
drop sequence solution_number;

-- The epoch is taken with the number: a creation that waited for a raised epoch begins in it.
create function number_solution() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update platform set last_number = last_number + 1 returning last_number, epoch into new.number, new.epoch;
    return new;
end $$;
create trigger number before insert on solution for each row when (new.number is null) execute function number_solution();
grant execute on function number_solution() to husorden_tenant;
-- Nobody but the owner chooses a number.
revoke insert on solution from husorden_tenant;
grant insert (id, account, node, name, kind, aim, spec, credentials, labels, protected, epoch) on solution to husorden_tenant;

-- How many solutions count against an account's limit is read under this lock, so that two creations do not both find room.
-- A deleted solution counts as long as it can be undone, for its volume is still there.
create function count_to_create(p_account uuid) returns bigint language plpgsql set search_path = public, pg_temp as $$
begin
    perform pg_advisory_xact_lock(4814, hashtext(p_account::text));
    return (select count(*) from solution where account = p_account and deleted is null);
end $$;
grant execute on function count_to_create(uuid) to husorden_tenant;

-- A look at one solution. Older reports of the same connection are passed over. What a failed look does not list is not gone:
-- then what was seen last of the volume, its snapshots and the services is kept.
create or replace function node_seen(p_node text, p_link uuid, p_seen jsonb) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    s solution;
    state text := p_seen->>'state';
    looked boolean := coalesce((p_seen->>'looked')::boolean, false);
    settled_on bigint;
    snap jsonb;
    turned boolean;
begin
    select * into s from solution where id = (p_seen->>'solution')::uuid and node = p_node and deleted is null for update;
    if not found then return; end if;
    if s.seen_link = p_link and s.seen is not null and (s.seen->>'report')::bigint > (p_seen->>'report')::bigint then return; end if;
    settled_on := case when state = 'settled' and (p_seen->>'epoch')::bigint = s.epoch then (p_seen->>'generation')::bigint end;
    turned := s.seen_state is distinct from state;
    if not looked and s.seen is not null then
        p_seen := p_seen || jsonb_build_object(
            'usage', s.seen->'usage', 'snapshots', coalesce(s.seen->'snapshots', '[]'),
            'marks', coalesce(s.seen->'marks', '{}'), 'services', coalesce(s.seen->'services', '{}'));
    end if;
    update solution set seen = p_seen, seen_state = state, seen_link = p_link,
        seen_generation = greatest(seen_generation, least(coalesce(settled_on, 0), generation))
        where id = s.id;
    if looked then
        for snap in select * from jsonb_array_elements(coalesce(p_seen->'snapshots', '[]')) loop
            insert into snapshot (id, solution, account, label, before, state, taken)
                values ((snap->>'id')::uuid, s.id, s.account, left(coalesce(snap->>'label', ''), 200), snap->>'before', 'ready', (snap->>'taken')::timestamptz)
                on conflict (id) do update set taken = excluded.taken,
                    state = case when snapshot.state in ('taking', 'failed') then 'ready' else snapshot.state end
                where snapshot.solution = s.id;
        end loop;
        -- What the node listed once and lists no longer is no snapshot any more; a young one may have been taken after the look.
        delete from snapshot n where n.solution = s.id and n.state in ('ready', 'deleting') and n.taken < (p_seen->>'at')::timestamptz - interval '1 minute'
            and not exists (select from jsonb_array_elements(coalesce(p_seen->'snapshots', '[]')) e where (e->>'id')::uuid = n.id);
    end if;
    if settled_on is not null then
        update evidence set ended = now(), after = jsonb_build_object('settled', settled_on)
            where solution = s.id and ended is null and await_generation <= settled_on;
    end if;
    if settled_on = s.generation and s.seen_generation < settled_on then
        if s.aim <> 'gone' or not bury(s.id) then
            insert into event (account, solution, kind, by, data)
                values (s.account, s.id, 'solution.settled', 'node', jsonb_build_object('name', s.name, 'aim', s.aim));
        end if;
    elsif settled_on = s.generation and s.aim = 'gone' then
        perform bury(s.id);
    elsif state = 'trouble' and turned then
        insert into event (account, solution, kind, by, data)
            values (s.account, s.id, 'solution.trouble', 'node', jsonb_build_object('name', s.name, 'text', p_seen->'waiting'->'text'));
    end if;
end $$;

-- As before, and only on a look that did not fail; a row from before looks were told apart says nothing of it.
create or replace function bury(p_solution uuid) returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
declare s solution;
begin
    select * into s from solution
     where id = p_solution and aim = 'gone' and deleted is null and hold_for is null and retain_until <= now()
       and seen_state = 'settled' and seen_generation = generation
       and (seen->>'epoch')::bigint = epoch and coalesce((seen->>'looked')::boolean, true)
       and seen->'usage' is not distinct from 'null'::jsonb and coalesce(seen->'snapshots', '[]') = '[]'
       -- What is sealed does not expire.
       and not exists (select from measure m where m.account = solution.account and (m.solution is null or m.solution = solution.id)
                        and m.access = 'none' and m.lifted is null and (m.ends is null or m.ends > now()))
     for update;
    if not found then return false; end if;
    update solution set deleted = now(), credentials = '{}', changed = now() where id = s.id;
    delete from claim where solution = s.id;
    update snapshot set state = 'failed' where solution = s.id and state <> 'failed';
    update verb_order set state = 'failed', ended = now() where solution = s.id and state in ('queued', 'running');
    update evidence set ended = now(), after = '{"is": "buried"}' where solution = s.id and ended is null and await_generation <= s.generation;
    insert into evidence (ended, who, act, account, solution, before, after)
        values (now(), 'platform', 'solution.buried', s.account, s.id, jsonb_build_object('number', s.number, 'name', s.name), '{}');
    insert into event (account, solution, kind, by, data)
        values (s.account, s.id, 'solution.buried', 'platform', jsonb_build_object('name', s.name));
    return true;
end $$;
