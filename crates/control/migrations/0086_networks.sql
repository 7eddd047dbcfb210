-- Private networks of accounts. Who is in one, and with which address, is claimed by the specs of solutions: (space 'network', key '<network>
-- <address>'), so that an address is one solution's until that is buried.

create table network (
    id      uuid primary key,
    -- What nodes name it by; never given twice.
    number  integer not null generated always as identity unique check (number < 16777216),
    account uuid not null references account,
    name    text not null check (name ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    range   cidr not null check (family(range) = 4),
    prefix  cidr not null unique check (family(prefix) = 6),
    created timestamptz not null default now(),
    constraint network_name_taken unique (account, name)
);
create index claim_by_network on claim ((split_part(key, ' ', 1))) where space = 'network';

alter table network enable row level security;
alter table network force row level security;
create policy owner_all on network to husorden_owner using (true) with check (true);
create policy tenant_own on network to husorden_tenant using (account = bound_account()) with check (account = bound_account());
-- A token for certain solutions sees the networks it may put them in, and makes and ends none.
create policy tenant_makes on network as restrictive for insert to husorden_tenant with check ((select scope_open()));
create policy tenant_ends on network as restrictive for delete to husorden_tenant using ((select scope_open()));
create policy staff_see on network for select to husorden_staff using (true);
grant select, insert (id, account, name, range, prefix), update (name), delete on network to husorden_tenant;
grant select on network to husorden_staff;

-- Every address of a network that is somebody's, with who has it and on which node, also for who sees only some of the solutions.
create function network_addresses(p_network uuid) returns setof jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select jsonb_build_object('address', split_part(c.key, ' ', 2), 'solution', s.id, 'name', s.name, 'node', s.node)
      from network n join claim c on c.space = 'network' and split_part(c.key, ' ', 1) = n.id::text join solution s on s.id = c.solution
     where n.id = p_network and n.account = bound_account() order by s.name
$$;
grant execute on function network_addresses(uuid) to husorden_tenant;

-- What a spec's networks are to the node that has the solution.
create function memberships(p_account uuid, p_spec jsonb) returns jsonb language sql stable as $$
    select jsonb_agg(jsonb_build_object('number', n.number, 'range', n.range, 'prefix', n.prefix, 'address', j.value->>'address') order by j.place)
      from jsonb_array_elements(case when jsonb_typeof(p_spec->'networks') = 'array' then p_spec->'networks' end) with ordinality j(value, place)
      join network n on n.id = (j.value->>'network')::uuid and n.account = p_account
$$;

-- A solution as a node is told of it, with what it has in networks: by the spec that the node is shown.
create or replace function wish_json(s solution) returns jsonb language sql stable as $$
    select w || jsonb_strip_nulls(jsonb_build_object('networks', memberships(s.account, w->'spec')))
      from (select jsonb_build_object('solution', s.id, 'number', s.number, 'account', s.account, 'kind', s.kind, 'epoch', s.epoch,
                                      'name', s.name, 'aim', s.aim, 'spec', s.spec, 'credentials', s.credentials, 'from', s.origin,
                                      'from_backup', s.from_backup, 'retain_until', s.retain_until, 'generation', s.generation)
                   || coalesce(s.held, '{}') as w) shown
$$;
