{{ shop_campaign('google') }}
