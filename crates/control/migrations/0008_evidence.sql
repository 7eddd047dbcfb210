-- The evidence log: each line of evidence becomes a leaf (or two: before the act and after it) of a Merkle tree that only grows.
-- The leaf holds personal fields as salted hashes only. The line itself and the salts can be erased; the tree still holds.

-- What a node's line is linked to by the next one.
alter table evidence add column chain bytea;
-- Which fields were erased: path -> by whom and when.
alter table evidence add column erased jsonb not null default '{}';
alter table node add column evidence_serial bigint not null default 0, add column evidence_chain bytea;

-- Halves of lines that are not in the tree yet, in the order in which they were written. Empty but for a moment.
create table evidence_pending (
    id    bigint generated always as identity primary key,
    line  bigint not null,
    stage text not null check (stage in ('before', 'after', 'whole')),
    noted timestamptz not null default clock_timestamp()
);

create table evidence_leaf (
    index        bigint primary key,
    line         bigint not null references evidence,
    stage        text not null check (stage in ('before', 'after', 'whole')),
    account      uuid,
    noted        timestamptz not null,
    visible_from timestamptz not null,
    -- An erasure by the platform excuses what is gone from every account's lines, so that everybody may see it.
    erasure      boolean not null,
    body         text not null
);
create index evidence_leaf_by_account on evidence_leaf (account, index);
create index evidence_leaf_by_line on evidence_leaf (line);
create index evidence_leaf_by_age on evidence_leaf (noted);
create index evidence_leaf_erasure on evidence_leaf (index) where erasure;

-- The salts of a leaf's hidden fields by path. With its salt gone, a hash says nothing of the value.
create table evidence_salt (
    index bigint primary key references evidence_leaf,
    salts jsonb not null
);

-- Hashes of the tree: 32 neighbours of every fifth level a row.
create table evidence_tile (
    level    smallint not null,
    position bigint not null,
    hashes   bytea not null check (length(hashes) between 32 and 1024 and length(hashes) % 32 = 0),
    primary key (level, position)
);

create table evidence_tree (
    one_row boolean primary key default true check (one_row),
    origin  text not null default 'husorden/' || gen_random_uuid(),
    size    bigint not null default 0,
    -- The hash of nothing.
    root    bytea not null default sha256('')
);
insert into evidence_tree default values;

create table evidence_key (
    key        text primary key,
    first_used timestamptz not null default now()
);

-- The newest checkpoint for each size: what is signed again over the same tree replaces it.
create table evidence_checkpoint (
    size bigint not null,
    key  text not null references evidence_key,
    at   timestamptz not null,
    note text not null,
    primary key (size, key)
);
create index evidence_checkpoint_by_age on evidence_checkpoint (at);

-- Up to which leaf the fields of a class are erased.
create table evidence_erasure (
    class   text primary key,
    through bigint not null
);

insert into job (kind, every_s) values ('erase-evidence', 3600);

do $$
declare t text;
begin
    foreach t in array array['evidence_pending', 'evidence_leaf', 'evidence_salt', 'evidence_tile', 'evidence_tree', 'evidence_key',
                             'evidence_checkpoint', 'evidence_erasure'] loop
        execute format('alter table %I enable row level security', t);
        execute format('alter table %I force row level security', t);
        execute format('create policy owner_all on %I to husorden_owner using (true) with check (true)', t);
        if t not in ('evidence_pending', 'evidence_erasure') then
            execute format('create policy staff_see on %I for select to husorden_staff using (true)', t);
            execute format('grant select on %I to husorden_staff', t);
        end if;
    end loop;
    -- Hashes say nothing; everybody may prove a line of theirs.
    foreach t in array array['evidence_tile', 'evidence_tree', 'evidence_key', 'evidence_checkpoint'] loop
        execute format('create policy tenant_see on %I for select to husorden_tenant using (true)', t);
        execute format('grant select on %I to husorden_tenant', t);
    end loop;
end $$;
create policy tenant_own on evidence_leaf for select to husorden_tenant
    using ((account = bound_account() and visible_from <= now()) or erasure);
-- The leaf's own policy holds within.
create policy tenant_own on evidence_salt for select to husorden_tenant
    using (exists (select from evidence_leaf l where l.index = evidence_salt.index));
grant select on evidence_leaf, evidence_salt to husorden_tenant;

create function seal_evidence() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into evidence_pending (line, stage)
        values (new.id, case when tg_op = 'UPDATE' then 'after' when new.ended is null then 'before' else 'whole' end);
    return null;
end $$;
create trigger seal_begun after insert on evidence for each row execute function seal_evidence();
create trigger seal_ended after update of ended on evidence for each row
    when (old.ended is null and new.ended is not null) execute function seal_evidence();
insert into evidence_pending (line, stage)
    select id, case when ended is null then 'before' else 'whole' end from evidence order by id;

-- What a seeker looks for by words.
create index evidence_by_act on evidence (act, id);
create index evidence_by_begun on evidence (begun);

-- Sequencing ------------------------------------------------------------------------------------------------------------
-- Takes the next halves in order, under a lock that is held to the end of the transaction: one control at a time adds to the
-- tree. Null when another control is at it.
create function evidence_take(p_limit integer) returns jsonb
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if not pg_try_advisory_xact_lock(4816) then return null; end if;
    return (select jsonb_build_object('size', t.size, 'lines', coalesce((
        select jsonb_agg(jsonb_build_object('pending', p.id, 'line', e.id, 'stage', p.stage, 'noted', p.noted, 'begun', e.begun,
                   'ended', e.ended, 'act', e.act, 'who', e.who, 'account', e.account, 'solution', e.solution, 'node', e.node,
                   'serial', e.serial, 'before', e.before, 'after', e.after) order by p.id)
          from (select * from evidence_pending order by id limit p_limit) p join evidence e on e.id = p.line), '[]'::jsonb))
        from evidence_tree t);
end $$;

create function evidence_tiles(p_levels smallint[], p_positions bigint[]) returns table (level smallint, "position" bigint, hashes bytea)
language sql stable security definer set search_path = public, pg_temp as $$
    select t.level, t.position, t.hashes from unnest(p_levels, p_positions) asked (level, position)
      join evidence_tile t on t.level = asked.level and t.position = asked.position
$$;

-- Adds leaves to the tree, in the transaction that took them.
create function evidence_append(p_from bigint, p_pending bigint[], p_bodies text[], p_salts text[],
                                p_levels smallint[], p_positions bigint[], p_hashes bytea[], p_root bytea) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update evidence_tree set size = size + cardinality(p_pending), root = p_root where size = p_from;
    if not found then raise exception 'the tree has another size than %', p_from; end if;
    insert into evidence_leaf (index, line, stage, account, noted, visible_from, erasure, body)
        select p_from + n.place - 1, e.id, p.stage, e.account, p.noted, e.visible_from,
               e.act = 'evidence.erased' and e.who = 'platform' and e.account is null, n.body
          from unnest(p_pending, p_bodies) with ordinality n (pending, body, place)
          join evidence_pending p on p.id = n.pending join evidence e on e.id = p.line;
    insert into evidence_salt (index, salts)
        select p_from + n.place - 1, n.salts::jsonb from unnest(p_salts) with ordinality n (salts, place) where n.salts <> '{}';
    insert into evidence_tile (level, position, hashes)
        select * from unnest(p_levels, p_positions, p_hashes)
        on conflict (level, position) do update set hashes = excluded.hashes;
    delete from evidence_pending where id = any (p_pending);
end $$;

-- Signing ---------------------------------------------------------------------------------------------------------------
create function evidence_head() returns jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select jsonb_build_object('origin', origin, 'size', size, 'root', encode(root, 'base64')) from evidence_tree
$$;

create function evidence_bodies(p_from bigint, p_to bigint, p_limit integer) returns table (index bigint, body text)
language sql stable security definer set search_path = public, pg_temp as $$
    select index, body from evidence_leaf where index >= p_from and index < p_to order by index limit p_limit
$$;

-- Leaves with what is visible of them, for whoever looks whether they still are what was sealed.
create function evidence_opened(p_from bigint, p_to bigint, p_limit integer) returns setof jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select jsonb_build_object('index', l.index, 'line', l.line, 'body', l.body, 'salts', coalesce(s.salts, '{}'), 'noted', l.noted,
                              'who', e.who, 'before', e.before, 'after', e.after, 'erased', e.erased)
      from evidence_leaf l join evidence e on e.id = l.line left join evidence_salt s on s.index = l.index
     where l.index >= p_from and l.index < p_to order by l.index limit p_limit
$$;

create function evidence_key_keep(p_key text) returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into evidence_key (key) values (p_key) on conflict do nothing;
    return found;
end $$;

create function evidence_checkpoint_keep(p_size bigint, p_key text, p_at timestamptz, p_note text) returns void
language sql security definer set search_path = public, pg_temp as $$
    insert into evidence_checkpoint (size, key, at, note) values (p_size, p_key, p_at, p_note)
        on conflict (size, key) do update set at = excluded.at, note = excluded.note
$$;

-- Something is wrong with the log, or is well again: a line and an event for staff.
create function evidence_alarm(p_act text, p_detail jsonb) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into evidence (ended, who, act, before, after) values (now(), 'platform', p_act, p_detail, '{}');
    insert into event (kind, by, data) values (p_act, 'platform', p_detail);
end $$;

-- Erasing ---------------------------------------------------------------------------------------------------------------
-- Up to which leaf a class is erased, and up to which it is to be.
create function evidence_to_erase(p_class text, p_days integer) returns jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select jsonb_build_object(
        'from', coalesce((select through from evidence_erasure where class = p_class), 0),
        'to', coalesce((select index + 1 from evidence_leaf where noted < now() - make_interval(days => p_days)
                         order by noted desc limit 1), 0))
$$;

-- Erases the named fields of the leaves of a class up to a leaf, and says so in a line of the same transaction.
create function evidence_erase(p_class text, p_through bigint, p_leaves bigint[], p_paths text[]) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    said text := 'platform, ' || to_char(now() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"');
    one record;
    parts text[];
begin
    for one in select l.line, n.leaf, n.path from unnest(p_leaves, p_paths) n (leaf, path) join evidence_leaf l on l.index = n.leaf loop
        parts := string_to_array(one.path, '.');
        update evidence_salt set salts = salts - one.path where index = one.leaf;
        update evidence set erased = erased || jsonb_build_object(one.path, said),
            who = case when one.path = 'who' then 'erased' else who end,
            before = case when parts[1] = 'before' then case when cardinality(parts) = 1 then '{}' else before - array_to_string(parts[2:], '.') end else before end,
            after = case when parts[1] = 'after' then case when cardinality(parts) = 1 then '{}' else after - array_to_string(parts[2:], '.') end else after end
            where id = one.line;
    end loop;
    insert into evidence_erasure (class, through) values (p_class, p_through)
        on conflict (class) do update set through = greatest(evidence_erasure.through, excluded.through);
    if cardinality(p_leaves) > 0 then
        insert into evidence (ended, who, act, before, after)
            values (now(), 'platform', 'evidence.erased',
                    jsonb_build_object('class', p_class, 'through', p_through, 'count', cardinality(p_leaves)), '{}');
    end if;
end $$;

-- Nodes -----------------------------------------------------------------------------------------------------------------
-- Lines of a node, oldest first. Each carries the hash of the line before it; `hash` is its own. Where the chain does not hold
-- the lines are kept all the same, and the break is a line of its own.
drop function node_evidence(text, jsonb);
create function node_evidence(p_node text, p_lines jsonb) returns bigint
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    head record;
    line jsonb;
    hash bytea;
    kept bytea;
    serial_is bigint;
    broken text;
    breaks bigint := 0;
begin
    select evidence_serial as serial, evidence_chain as chain into head from node where name = p_node for update;
    if not found then return 0; end if;
    for line in select * from jsonb_array_elements(p_lines) loop
        serial_is := (line->>'serial')::bigint;
        hash := decode(line->>'hash', 'base64');
        broken := null;
        if serial_is <= head.serial then
            -- Said before: the node did not hear that it was kept. It must be the same line.
            select chain into kept from evidence where node = p_node and serial = serial_is;
            if found and kept is not distinct from hash then continue; end if;
            broken := 'another line under a number that was given';
        elsif serial_is > head.serial + 1 then
            broken := 'lines are missing';
        elsif decode(line->>'previous', 'base64') is distinct from head.chain then
            broken := 'it does not follow the line before it';
        end if;
        if broken is not null then
            breaks := breaks + 1;
            perform evidence_alarm('node.chain-broken', jsonb_build_object('node', p_node, 'serial', serial_is, 'is', broken, 'after', head.serial));
        end if;
        insert into evidence (begun, ended, who, act, account, solution, before, after, node, serial, chain, visible_from)
        select (line->>'at')::timestamptz, (line->>'at')::timestamptz, 'node:' || p_node, left(line->>'act', 200),
               (select account from solution where id = (line->>'solution')::uuid and node = p_node), (line->>'solution')::uuid,
               coalesce(line->'detail', '{}'), '{}', p_node,
               -- A second line under one number stands without it, so that neither hides the other.
               case when serial_is > head.serial then serial_is end, hash,
               coalesce((select greatest(now(), max(silent_until)) from measure where id::text = line->'detail'->>'measure'), now());
        if serial_is > head.serial then
            head.serial := serial_is;
            head.chain := hash;
        end if;
    end loop;
    update node set evidence_serial = head.serial, evidence_chain = head.chain where name = p_node;
    return breaks;
end $$;

grant execute on function seal_evidence() to husorden_tenant, husorden_staff;
grant execute on function evidence_take(integer), evidence_tiles(smallint[], bigint[]),
    evidence_append(bigint, bigint[], text[], text[], smallint[], bigint[], bytea[], bytea), evidence_head(),
    evidence_bodies(bigint, bigint, integer), evidence_opened(bigint, bigint, integer), evidence_key_keep(text),
    evidence_checkpoint_keep(bigint, text, timestamptz, text), evidence_alarm(text, jsonb), evidence_to_erase(text, integer),
    evidence_erase(text, bigint, bigint[], text[]), node_evidence(text, jsonb) to husorden_system;
grant execute on function evidence_tiles(smallint[], bigint[]) to husorden_tenant, husorden_staff;
