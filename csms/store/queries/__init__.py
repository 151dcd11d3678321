"""The admin API's queries, one module per aggregate.

Every function takes the connection first and runs inside `Database.tenant_unit`: row-level security shows the tenant's rows
alone, and the tenant's id is in every condition besides, so that the indexes are used.
"""
